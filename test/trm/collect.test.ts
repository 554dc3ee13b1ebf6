/** Which sampled responses become a TRM's training data, on a very small policy that has been taught what to answer. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Chat } from '../../src/data/chat.ts';
import type { Records } from '../../src/data/reader.ts';
import type { Engine } from '../../src/engine/types.ts';
import { collect } from '../../src/trm/collect.ts';
import type { Judge } from '../../src/trm/judge.ts';
import { openModel, teach, textRecord, untrained } from '../train/small-policy.ts';

const taught: [question: string, answer: string][] = [
  ['how many circle ?', '<think> so 1 </think> <answer> 1 </answer> <|im_end|>'],
  ['how many square ?', '<think> so 2 </think> <answer> 2 </answer> <|im_end|>'],
  ['read a1 ?', '<think> so 1 <answer> 1 </answer> <|im_end|>'],
  ['what is left ?', '<think> red red red red red red red red red red red'],
  ['what is right ?', '<think> <|image_pad|> </think> <answer> 1 </answer> <|im_end|>'],
];
const records = taught.map(([problem], i) => textRecord(i, problem));
const file: Records = { length: records.length, source: 'q.jsonl', get: async (i) => records[i] };

let dir: string;
let policy: Engine;
let chat: Chat;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sophia-collect-'));
  ({ engine: policy, chat } = await openModel(await untrained(dir)));
  const tokens = taught.map(([, answer]) => chat.tokenizer.encode(answer));
  await teach(
    policy,
    chat,
    records.map((record, i) => ({ record, tokens: tokens[i] })),
  );
}, 60_000);
afterAll(async () => {
  await policy.dispose();
  await rm(dir, { recursive: true, force: true });
});

const options = (annotator: Judge) => ({
  policy,
  annotator,
  chat,
  template: '{problem}',
  samples: 2,
  temperature: 0.05,
  maxTokens: 10,
  seed: 0,
});
const annotator: Judge = {
  name: 'by hand',
  takes: 'singly',
  dispose: async () => {},
  score: async (responses) => responses.map(() => ({ score: 0.25, failure: null })),
};

describe('collecting responses', () => {
  it('leaves out broken formats, responses cut off, and what no judge can be shown', async () => {
    const rows = await collect(file, 0, 5, options(annotator));
    expect(rows.map(({ record, response, score }) => [record.problem_id, response, score])).toEqual([
      ...Array(2).fill([0, '<think> so 1 </think> <answer> 1 </answer>', 0.25]),
      ...Array(2).fill([1, '<think> so 2 </think> <answer> 2 </answer>', 0.25]),
    ]);
  });

  it('leaves out what the annotator could not score', async () => {
    const failing: Judge = {
      name: 'by hand',
      takes: 'together',
      dispose: async () => {},
      score: async (responses) =>
        responses.map((_, i) => (i % 2 ? { score: null, failure: 'gone' } : { score: 1, failure: null })),
    };
    const rows = await collect(file, 0, 5, options(failing));
    expect(rows.map(({ record, score }) => [record.problem_id, score])).toEqual([
      [0, 1],
      [1, 1],
    ]);
  });

  it('takes the records asked for, each with draws of its own, and says how far it is', async () => {
    const done: number[] = [];
    const progress = (n: number) => done.push(n);
    const rows = await collect(file, 1, 3, { ...options(annotator), progress });
    expect(rows.map(({ record }) => record.problem_id)).toEqual([1, 1]);
    expect(done).toEqual([2]);
    const hot = { ...options(annotator), temperature: 4, samples: 40, maxTokens: 30 };
    const all = await collect(file, 0, 2, hot);
    const second = await collect(file, 1, 2, hot);
    expect(all.filter(({ record }) => record.problem_id === 1)).toEqual(second);
  });

  it('stops when asked to', async () => {
    const stopped = collect(file, 0, 5, { ...options(annotator), signal: AbortSignal.abort() });
    await expect(stopped).rejects.toThrow(/abort/);
  });
});
