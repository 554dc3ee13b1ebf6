/**
 * The stages of the TRM's data, each killed at many moments and started again: the file is the one of a stage that was
 * left alone, byte for byte.
 */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeMadeRun } from '../../bench/trm-rollouts.ts';
import { writeStartModel } from '../../src/experiments/start-model.ts';
import { smallest } from '../cli/sophia.ts';
import { readJson, readRows, sophia, workFolder } from './sophia.ts';

const { dir, remove } = workFolder();
const at = (name: string) => join(dir, name);
afterAll(remove);

/** Responses that are made, and questions to a policy. */
const QUESTIONS = 600;
const ASKED = 200;
const KILLS = 12;

beforeAll(async () => {
  await writeMadeRun(at('run'), QUESTIONS);
  await writeStartModel(at('model'), smallest, 0);
  for (const { args, out } of Object.values(stages)) {
    const { code, stderr } = await sophia(['trm', ...args, '--out', at(out)], { cwd: dir });
    expect(code, stderr).toBe(0);
  }
});

const stages: Record<string, { args: string[]; out: string }> = {
  'collect --run': { args: ['collect', '--run', 'run'], out: 'collected.jsonl' },
  'collect --policy': {
    args: [
      'collect',
      '--policy',
      'model',
      '--data',
      'run/data/rl.jsonl',
      '--limit',
      String(ASKED),
      '--max-tokens',
      '8',
    ],
    out: 'asked.jsonl',
  },
  annotate: { args: ['annotate', '--in', 'collected.jsonl', '--judge', 'oracle'], out: 'annotated.jsonl' },
  curate: {
    args: ['curate', '--in', 'annotated.jsonl', '--floor', '10', '--cap', '300', '--total', '2000'],
    out: 'curated.jsonl',
  },
};

/** Bytes that are there of a file, under whichever name. */
function grown(out: string): number {
  const names = readdirSync(dir).filter((name) => name.includes(out) && !/\.json(\.|$)/.test(name));
  return names.reduce((sum, name) => sum + (statSync(at(name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** Inputs that a stopped stage says are done; 0 where it says nothing. */
function inputsDone(out: string): number {
  try {
    return readJson<{ inputs: number }>(at(`${out}.part.json`)).inputs;
  } catch {
    return 0;
  }
}

describe.each(Object.entries(stages))('%s', (_, { args, out }) => {
  it('killed anywhere, it goes on without loss and without duplicates', async () => {
    const whole = readFileSync(at(out));
    const again = out.replace('.jsonl', '-again.jsonl');
    let kills = 0;
    const done = new Set<number>();
    let last = { code: -1 as number | null, stdout: '', stderr: '' };
    for (let round = 0; round < 40 && last.code !== 0; round++) {
      // by the clock, by what has been written, or as soon as a chunk more is done, so that every moment has its turn
      const goal = ((round % KILLS) / KILLS) * whole.length;
      const started = performance.now();
      const before = inputsDone(again);
      let sent = kills >= KILLS;
      last = await sophia(['trm', ...args, '--out', at(again), '--json'], {
        cwd: dir,
        watch: ({ kill }) => {
          const due = [
            () => performance.now() - started > 250 + 60 * round,
            () => grown(again) > goal,
            // curate has no chunks, it is written at once
            () => (args[0] === 'curate' ? grown(again) > goal : inputsDone(again) > before),
          ][round % 3]();
          if (sent || !due) return;
          sent = true;
          kills++;
          kill('SIGKILL');
        },
      });
      if (existsSync(at(`${again}.part.json`))) done.add(inputsDone(again));
      // killed when all was done but its process had not ended yet
      if (existsSync(at(again)) && !existsSync(at(`${again}.part.json`))) break;
      if (last.code !== 0) expect(last.stderr).not.toMatch(/exists already|begun with|Error/);
    }
    expect(existsSync(at(again)), last.stderr).toBe(true);
    expect(kills).toBeGreaterThan(3);
    // in the middle of the rows, too; curate has no middle, it begins anew
    expect(done.size).toBeGreaterThan(args[0] === 'curate' ? -1 : 3);
    expect(readFileSync(at(again)).equals(whole)).toBe(true);
    expect(readdirSync(dir).filter((name) => name.includes(again) && name !== again)).toEqual([]);
  });
});

it('what comes out is what went in: every response once, in order', () => {
  const key = (row: Record<string, unknown>) => JSON.stringify([row.problem_id, row.response]);
  const collected = readRows(at('collected.jsonl')).map(key);
  expect(new Set(collected).size).toBe(collected.length);
  expect(readRows(at('annotated.jsonl')).map(key)).toEqual(collected);
  const curated = readRows(at('curated.jsonl')).map(key);
  expect(curated).toHaveLength(2000);
  const chosen = new Set(curated);
  expect(collected.filter((one) => chosen.has(one))).toEqual(curated);
});

it('of two that write one file at once, one is refused and the file is whole', async () => {
  rmSync(at('collected-again.jsonl'));
  const args = ['trm', 'collect', '--run', 'run', '--out', at('collected-again.jsonl')];
  const both = await Promise.all([1, 2].map(() => sophia(args, { cwd: dir })));
  const refused = both.filter(({ code }) => code !== 0);
  for (const { code, stderr } of refused) {
    expect(code).toBe(2);
    expect(stderr).toMatch(/is writing it|exists already/);
  }
  expect(refused.length).toBeGreaterThan(0);
  if (refused.length === 2) await sophia(args, { cwd: dir });
  expect(readFileSync(at('collected-again.jsonl')).equals(readFileSync(at('collected.jsonl')))).toBe(true);
});
