/** Runs the built binary as a user would, and reads what it left behind. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url));
const binary = join(repository, 'bin', 'sophia.js');

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Milliseconds from the (first) signal that was sent to the end. */
  afterSignalMs: number | null;
}

export interface Running {
  /** What has been written to stderr so far. */
  stderr: () => string;
  kill: (signal: NodeJS.Signals) => void;
}

export interface Options {
  cwd?: string;
  env?: Record<string, string>;
  /** Put before the command, e.g. `ulimit -f 100` (bash). */
  shell?: string;
  uid?: number;
  /** Called every millisecond while it runs. */
  watch?: (running: Running) => void;
}

/** Runs `sophia ARGS` to its end. */
export function sophia(args: string[], options: Options = {}): Promise<Ended> {
  const { cwd = repository, env, shell, uid, watch } = options;
  const command = [process.execPath, binary, ...args];
  const [file, rest] = shell
    ? ['bash', ['-c', `${shell}; exec "$@"`, 'bash', ...command]]
    : [command[0], command.slice(1)];
  const child = spawn(file, rest, {
    cwd,
    uid,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  let signalled: number | null = null;
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  const running = {
    stderr: () => stderr,
    kill: (signal: NodeJS.Signals) => {
      signalled ??= performance.now();
      child.kill(signal);
    },
  };
  const timer = watch ? setInterval(() => watch(running), 1) : undefined;
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearInterval(timer);
      const afterSignalMs = signalled === null ? null : performance.now() - signalled;
      resolve({ code, signal, stdout, stderr, afterSignalMs });
    });
  });
}

/** Sends a signal once, as soon as `when` holds. */
export function once(when: (running: Running) => boolean, signal: NodeJS.Signals): Options['watch'] {
  let sent = false;
  return (running) => {
    if (sent || !when(running)) return;
    sent = true;
    running.kill(signal);
  };
}

/** A folder for the files of one test file; `remove` it at the end. */
export function workFolder(): { dir: string; remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'sophia-slow-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Number of whole lines in a file; 0 where there is none. */
export function lines(file: string): number {
  try {
    return readFileSync(file, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

export function names(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

export function readRows<T = Record<string, unknown>>(file: string): T[] {
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

export function readJson<T = Record<string, unknown>>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** All files below a folder, relative to it. */
export function filesBelow(dir: string): string[] {
  return (readdirSync(dir, { recursive: true }) as string[])
    .filter((name) => statSync(join(dir, name)).isFile())
    .sort();
}

/** Of a checkpoint: all parameters, or adapters. */
const WEIGHTS = ['model.safetensors', 'adapter_model.safetensors'];

const WHAT_MUST_BE_THE_SAME = [
  /(^|\/)metrics\.jsonl$/,
  /(^|\/)rollouts\/\d+\.jsonl$/,
  /(^|\/)eval\/\w+\/(predictions\.jsonl|scores\.json)$/,
  /^(seed-\d+\/)?data\//,
  /(^|\/)start\/model\.safetensors$/,
  /(^|\/)trm\/(responses|held-out)\.jsonl$/,
  /(^|\/)trm\/reliability\.json$/,
  /(^|\/)(table\.txt|recipe\.yaml)$/,
];

/**
 * What a run's result is made of, as a digest a file: metrics without `time`, rollouts, evaluations, the world, and
 * weights and optimizer of every stage's last checkpoint.
 */
export function resultOf(dir: string): Record<string, string> {
  const files = filesBelow(dir);
  const last = new Map<string, string>();
  for (const file of files) {
    const [, stage, step] = /^(.*?)checkpoints\/(\d{6})\//.exec(file) ?? [];
    if (step !== undefined && step > (last.get(stage) ?? '')) last.set(stage, step);
  }
  const ofLast = [...last].flatMap(([stage, step]) =>
    [...WEIGHTS, 'trainer/optimizer.safetensors', 'trainer/state.json']
      .map((name) => join(stage, 'checkpoints', step, name))
      .filter((name) => files.includes(name)),
  );
  const compared = files.filter((file) => WHAT_MUST_BE_THE_SAME.some((pattern) => pattern.test(file)));
  return Object.fromEntries([...compared, ...ofLast].sort().map((file) => [file, digest(join(dir, file))]));
}

function digest(file: string): string {
  const content =
    basename(file) === 'metrics.jsonl'
      ? readRows(file)
          .map(({ time: _, ...row }) => JSON.stringify(row))
          .join('\n')
      : readFileSync(file);
  return createHash('sha256').update(content).digest('hex');
}

/** Half-written files and folders that are still there. */
export function leftovers(dir: string): string[] {
  return (readdirSync(dir, { recursive: true }) as string[]).filter((name) =>
    /^\..*\.(tmp|old)-/.test(basename(name)),
  );
}

/** How a path is written on the screen. */
export const shown = (path: string) => relative(repository, path);
