/**
 * Live progress of the long stages, on stderr and never on stdout (which belongs to results).
 * A terminal gets one redrawn line a running stage (cli-progress); anything else (a file, CI) gets a plain
 * log line when a stage starts, every ten seconds while it runs, and when it ends.
 */
import cliProgress from 'cli-progress';
import { clock } from '../experiments/clock.ts';

/** What a stage says about itself as it goes: `{ loss: 1.23, γ: 0.95 }`. */
export type Facts = Record<string, number | string>;

/** Stages are known by name; several may run at once. An unknown stage is ignored, so that late replies never fail a run. */
export interface Progress {
  /** `total` steps are to come; `done` of them lie behind a resumed run already. */
  start(stage: string, total: number, done?: number): void;
  update(stage: string, done: number, facts?: Facts): void;
  /** Ends the stage; `summary` stays on the screen. */
  finish(stage: string, summary?: string): void;
  /** Gives the terminal back, whatever still runs: call it in a `finally`. */
  stop(): void;
}

export interface ProgressOptions {
  stream?: NodeJS.WriteStream;
  /** Milliseconds between two log lines of one stage where there is no terminal. */
  everyMs?: number;
  /** A clock in milliseconds. */
  now?: () => number;
}

export function createProgress(options: ProgressOptions = {}): Progress {
  const { stream = process.stderr, everyMs = 10_000, now = Date.now } = options;
  return stream.isTTY ? redrawnLines(stream, now) : logLines(stream, everyMs, now);
}

interface Stage {
  total: number;
  done: number;
  startedMs: number;
  loggedMs: number;
  facts: Facts;
  recent: { atMs: number; done: number }[];
}

// A stage changes speed (cheap and dear batches, shorter responses): only its last updates say how long the rest takes.
const RECENT = 40;

function begin(total: number, done: number, atMs: number): Stage {
  return { total, done, startedMs: atMs, loggedMs: atMs, facts: {}, recent: [{ atMs, done }] };
}

function advance(stage: Stage, done: number, facts: Facts | undefined, atMs: number): void {
  stage.done = done;
  if (facts) stage.facts = facts;
  stage.recent.push({ atMs, done });
  if (stage.recent.length > RECENT) stage.recent.shift();
}

/** Seconds still to go at the speed of the last updates; null while nothing has been done yet. */
function remainingSeconds(stage: Stage): number | null {
  const first = stage.recent[0];
  const last = stage.recent[stage.recent.length - 1];
  if (last.done <= first.done) return null;
  const secondsAStep = (last.atMs - first.atMs) / 1000 / (last.done - first.done);
  return Math.max(0, stage.total - stage.done) * secondsAStep;
}

function describe(facts: Facts): string {
  return Object.entries(facts)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? short(value) : value}`)
    .join(' · ');
}

function short(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 0.01 ? value.toFixed(2) : value.toExponential(1);
}

const percent = (stage: Stage) => (stage.total > 0 ? Math.floor((100 * stage.done) / stage.total) : 100);

function ending(name: string, stage: Stage, summary: string | undefined, atMs: number): string {
  const said = summary ? `: ${summary}` : '';
  return `${name} done in ${clock((atMs - stage.startedMs) / 1000)}${said}`;
}

function logLines(stream: NodeJS.WriteStream, everyMs: number, now: () => number): Progress {
  const stages = new Map<string, Stage>();
  return {
    start(name, total, done = 0) {
      stages.set(name, begin(total, done, now()));
      const resumed = done > 0 ? `, going on from ${done}` : '';
      stream.write(`${name}: ${total} to do${resumed}\n`);
    },
    update(name, done, facts) {
      const stage = stages.get(name);
      if (!stage) return;
      const atMs = now();
      advance(stage, done, facts, atMs);
      if (atMs - stage.loggedMs < everyMs) return;
      stage.loggedMs = atMs;
      const left = remainingSeconds(stage);
      const parts = [`${name}: ${done}/${stage.total} (${percent(stage)} %)`];
      parts.push(`${clock((atMs - stage.startedMs) / 1000)} so far`);
      if (left !== null) parts.push(`ETA ${clock(left)}`);
      const facts_ = describe(stage.facts);
      if (facts_) parts.push(facts_);
      stream.write(`${parts.join(' · ')}\n`);
    },
    finish(name, summary) {
      const stage = stages.get(name);
      if (!stage) return;
      stages.delete(name);
      stream.write(`${ending(name, stage, summary, now())}\n`);
    },
    stop() {
      stages.clear();
    },
  };
}

function redrawnLines(stream: NodeJS.WriteStream, now: () => number): Progress {
  const stages = new Map<string, Stage>();
  const bars = new Map<string, cliProgress.SingleBar>();
  let screen: cliProgress.MultiBar | null = null;

  const line = (_options: unknown, params: { progress: number }, payload: { name: string }): string => {
    const stage = stages.get(payload.name);
    if (!stage) return '';
    const filled = Math.round(Math.min(1, Math.max(0, params.progress)) * 20);
    const left = remainingSeconds(stage);
    const width = Math.max(...[...stages.keys()].map((name) => name.length));
    const parts = [
      payload.name.padEnd(width),
      `${'█'.repeat(filled)}${'░'.repeat(20 - filled)}`,
      `${stage.done}/${stage.total}`,
      left === null ? clock((now() - stage.startedMs) / 1000) : `ETA ${clock(left)}`,
      describe(stage.facts),
    ];
    return parts.filter((part) => part !== '').join('  ');
  };

  // Ctrl-C belongs to the command, which saves first: cli-progress must not take the signal.
  const open = () =>
    new cliProgress.MultiBar({
      stream,
      format: line as unknown as cliProgress.GenericFormatter,
      gracefulExit: false,
      clearOnComplete: true,
      // Trim long lines instead of switching the terminal's wrapping off: a killed run leaves it as it was.
      linewrap: true,
      // A bar that moves up when the one above it ends must be drawn again, changed or not.
      forceRedraw: true,
      fps: 5,
    });

  return {
    start(name, total, done = 0) {
      stages.set(name, begin(total, done, now()));
      screen ??= open();
      bars.set(name, screen.create(total, done, { name }));
    },
    update(name, done, facts) {
      const stage = stages.get(name);
      if (!stage) return;
      advance(stage, done, facts, now());
      bars.get(name)?.update(done);
    },
    finish(name, summary) {
      const stage = stages.get(name);
      const bar = bars.get(name);
      if (!stage || !bar || !screen) return;
      const last = `✓ ${ending(name, stage, summary, now())}\n`;
      stages.delete(name);
      bars.delete(name);
      if (bars.size === 0) {
        screen.stop();
        screen = null;
        stream.write(last);
      } else {
        screen.log(last);
        screen.remove(bar);
      }
    },
    stop() {
      screen?.stop();
      screen = null;
      stages.clear();
      bars.clear();
    },
  };
}
