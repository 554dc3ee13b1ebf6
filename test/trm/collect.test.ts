/** Which sampled responses become a TRM's training data, on a very small policy that has been taught what to answer. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Chat } from '../../src/data/chat/chat.ts';
import type { Records } from '../../src/data/records/reader.ts';
import type { Engine } from '../../src/engine/types.ts';
import { type Annotator, annotate } from '../../src/trm/annotate.ts';
import { collectResponses } from '../../src/trm/collect.ts';
import { enginePolicy, type SamplingOptions } from '../../src/trm/policy.ts';
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

const sampling = { template: '{problem}', samples: 2, temperature: 0.05, maxTokens: 10, seed: 0 };

/** Batches of responses to records [from, to). */
async function collected(
  from: number,
  to: number,
  over: Partial<SamplingOptions> = {},
  signal?: AbortSignal,
) {
  const asked = enginePolicy('p', { engine: policy, chat }, { ...sampling, ...over });
  const batches = [];
  for await (const batch of collectResponses(file, from, to, { policy: asked, signal })) batches.push(batch);
  return batches;
}

describe('collecting responses', () => {
  it('keeps them all, with what is known of each; a judge is shown only those of good format that it can be shown', async () => {
    const annotator: Annotator = {
      name: 'by hand',
      takes: 'singly',
      score: async (responses) => responses.map(() => ({ score: 0.25, failure: null })),
    };
    const [{ rows, failures }, ...more] = await collected(0, 5);
    expect({ failures, more }).toEqual({ failures: [], more: [] });
    const given = [];
    for await (const { record, facts } of annotate(rows, annotator))
      given.push([record.problem_id, facts.right, facts.score, facts.failure]);
    expect(given).toEqual(
      [
        [0, true, 0.25, null],
        [1, false, 0.25, null],
        [2, false, null, 'broken format: not judged'],
        [3, false, null, 'truncated: not judged'],
        [4, true, null, 'picture placeholder: not judged'],
      ].flatMap((row) => [row, row]),
    );
    expect(rows[0].facts).toEqual({
      response: '<think> so 1 </think> <answer> 1 </answer>',
      finish: 'stop',
      format_ok: true,
      outcome: 1,
      right: true,
      policy: 'p',
    });
  });

  it('takes the records asked for, each with draws of its own, whatever is asked beside it', async () => {
    const [{ inputs, rows }] = await collected(1, 3);
    expect(inputs).toBe(2);
    expect(rows.map(({ record }) => record.problem_id)).toEqual([1, 1, 2, 2]);
    const hot = { temperature: 4, samples: 40, maxTokens: 30 };
    const all = (await collected(0, 2, hot)).flatMap((batch) => batch.rows);
    const second = (await collected(1, 2, hot)).flatMap((batch) => batch.rows);
    expect(all.filter(({ record }) => record.problem_id === 1)).toEqual(second);
  });

  it('stops when asked to', async () => {
    await expect(collected(0, 5, {}, AbortSignal.abort())).rejects.toThrow(/abort/);
  });
});
