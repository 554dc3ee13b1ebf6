/** What a picture costs in training that is there and cannot be decoded: its row, counted, up to a share of the data. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Chat } from '../../src/data/chat/chat.ts';
import { orderedItems } from '../../src/data/records/order.ts';
import type { LoadedRecord, Records } from '../../src/data/records/reader.ts';
import {
  latestCheckpoint,
  readRlMetrics,
  readRollouts,
  readSftMetrics,
  withoutTime,
} from '../../src/data/run-files.ts';
import type { Engine } from '../../src/engine/types.ts';
import { InputError, Interrupted, RunError } from '../../src/errors.ts';
import type { RlSettings } from '../../src/train/rollout.ts';
import { trainSft } from '../../src/train/sft.ts';
import type { Stage } from '../../src/train/stage.ts';
import { trustGrpo } from '../../src/train/trust-grpo.ts';
import { judgeConfigOf } from '../../src/trm/judge-config.ts';
import { lessonRows, trmLessons } from '../../src/trm/lessons.ts';
import { openModel, optimizer, stageIn, textRecord, untrained } from './small-policy.ts';

let dir: string;
let model: string;
let policy: Engine;
let chat: Chat;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sophia-bad-rows-'));
  model = await untrained(dir);
  ({ engine: policy, chat } = await openModel(model));
  writeFileSync(join(dir, 'broken.png'), 'no picture');
}, 60_000);
afterAll(async () => {
  await policy.dispose();
  rmSync(dir, { recursive: true, force: true });
});

/** Eight questions, those with these numbers with a picture that cannot be decoded. */
function records(...broken: number[]): Records {
  const all = Array.from({ length: 8 }, (_, i): LoadedRecord => {
    const record = textRecord(i, `what is a${1 + (i % 3)} ?`);
    if (!broken.includes(i)) return record;
    return { ...record, data_type: 'image', path: 'broken.png', picture: join(dir, 'broken.png') };
  });
  return { length: all.length, source: 'records.jsonl', get: async (i) => all[i] };
}

const settings: RlSettings = {
  variant: 'grpo',
  prompts: 4,
  samples: 2,
  temperature: 1,
  top_p: 1,
  max_tokens: 4,
  alpha: 0.3,
  kl_beta: 0.01,
  clip_low: 0.2,
  clip_high: 0.2,
  aggregation: 'token_mean',
  scaling: 'paper',
  updates: 1,
  min_coverage: 0.5,
  warn_coverage: 0.9,
  judge_deadline_s: 60,
  optimizer: { ...optimizer, learning_rate: 1e-3 },
};

let folders = 0;
const stage = (over: Partial<Stage> = {}) =>
  stageIn(join(dir, `run-${folders++}`), model, { steps: 4, saveEvery: 1, ...over });
async function train(s: Stage, data: Records, maxBad: number, over: Partial<RlSettings> = {}) {
  await policy.load(model);
  await trustGrpo({
    policy,
    judge: null,
    refresh: null,
    records: data,
    chat,
    template: '{problem}',
    settings: { ...settings, ...over },
    stage: s,
    maxBad,
  });
}
/** Which record item k of the run is. */
const item = orderedItems(0, 8);
const itemsOf = (step: number) => [0, 1, 2, 3].map((p) => item((step - 1) * 4 + p));

describe('reinforcement', () => {
  it('leaves the row out of its step: counted, said, and no draw of another changes', async () => {
    const broken = itemsOf(1)[2];
    const [clean, s] = [stage({ steps: 2 }), stage({ steps: 2, warn: (line) => said.push(line) })];
    const said: string[] = [];
    await train(clean, records(), 0.2);
    await train(s, records(broken), 0.2);
    expect((await readRlMetrics(clean.dir)).map((row) => row.bad_rows)).toEqual([0, 0]);
    expect((await readRlMetrics(s.dir)).map((row) => row.bad_rows)).toEqual([1, 0]);
    expect(said[0]).toMatch(
      /^stage, step 1: left out: records\.jsonl:\d: path: \S+broken\.png: cannot decode the picture/,
    );
    const texts = async (at: Stage) =>
      (await readRollouts(at.dir, 1)).map(({ problem_id, responses }) => [
        problem_id,
        responses.map(({ text }) => text),
      ]);
    expect(await texts(s)).toEqual((await texts(clean)).filter(([id]) => id !== broken));
  });

  it('goes on after an interruption as if there had been none', async () => {
    const data = records(itemsOf(1)[0], itemsOf(2)[3]);
    const whole = stage();
    await train(whole, data, 0.5);
    const stop = new AbortController();
    const s = stage({ signal: stop.signal, progress: (done) => done === 2 && stop.abort() });
    await expect(train(s, data, 0.5)).rejects.toThrow(Interrupted);
    await train({ ...s, signal: new AbortController().signal }, data, 0.5);
    const metrics = await readRlMetrics(s.dir);
    expect(metrics.map(withoutTime)).toEqual((await readRlMetrics(whole.dir)).map(withoutTime));
    expect(metrics.map((row) => row.bad_rows)).toEqual([1, 1, expect.any(Number), expect.any(Number)]);
  });

  it('stops when one row too many is bad, and has saved what it had learnt', async () => {
    const many = records(...itemsOf(1).slice(1), ...itemsOf(2).slice(1));
    const stopped = stage({ steps: 9, saveEvery: 9 });
    const reason = await train(stopped, many, 0.4).catch((caught) => caught);
    expect(reason).toBeInstanceOf(RunError);
    expect(reason.message).toMatch(
      /^stage, step 2: 4 rows could not be used, and data\.max_bad: 0\.4 allows 3; the last: .*broken\.png: .*Mend the data and go on with: sophia train/,
    );
    expect((await latestCheckpoint(stopped.dir))?.step).toBe(1);
  });

  it('stops at the first where none may be left out, with the error itself', async () => {
    for (const maxBad of [0, 0.1]) {
      const error = await train(stage(), records(itemsOf(1)[1]), maxBad).catch((caught) => caught);
      expect(error).toBeInstanceOf(InputError);
      expect(error.message).toMatch(/^records\.jsonl:\d: path: \S+broken\.png: cannot decode the picture/);
    }
  });

  it('asks what comes next where a step has no question left', async () => {
    const s = stage({ steps: 2 });
    await train(s, records(item(0)), 0.2, { prompts: 1 });
    expect((await readRlMetrics(s.dir)).map((row) => row.bad_rows)).toEqual([1, 0]);
    expect((await readRollouts(s.dir, 1)).map((group) => group.problem_id)).toEqual([item(1)]);
  });
});

describe("a TRM's training", () => {
  const lessons = async (broken: number[]) => {
    const data = records(...broken);
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => data.get(i)));
    return lessonRows(all.map((record, i) => ({ record, response: 'red', score: i / 10 })));
  };
  const trainOn = async (s: Stage, broken: number[], share: number) => {
    await policy.load(model);
    const how = {
      chat,
      templates: judgeConfigOf(chat, '{problem}'),
      batch: 4,
      seed: 0,
      order: 'epochs' as const,
    };
    await trainSft({
      engine: policy,
      sources: { scores: trmLessons(await lessons(broken), how) },
      phases: [{ steps: 2, cycle: ['scores'] }],
      optimizer,
      stage: s,
      maxBad: { share, rows: 8, batch: 4 },
    });
  };

  it('leaves a response out whose picture cannot be decoded, and counts it', async () => {
    const s = stage({ steps: 2 });
    await trainOn(s, [3], 0.2);
    const left = (await readSftMetrics(s.dir)).map((row) => row.bad_rows);
    expect(left.toSorted()).toEqual([0, 1]);
  });

  it('stops where too many cannot', async () => {
    await expect(trainOn(stage({ steps: 2 }), [0, 1, 2, 3, 4], 0.2)).rejects.toThrow(RunError);
    await expect(trainOn(stage({ steps: 2 }), [3], 0)).rejects.toThrow(InputError);
  });
});
