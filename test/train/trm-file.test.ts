/** Going on with the training of a TRM from a file: only with the same settings and the same input. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonLine, readJsonlValues } from '../../src/data/jsonl.ts';
import { OWN_FOLDER } from '../../src/data/pictures/access.ts';
import { type TrmFileSettings, trainTrmOnFile } from '../../src/train/trm-file.ts';
import { rowOf } from '../../src/trm/rows.ts';
import { annotatedRow } from '../trm/rows.ts';
import { untrained } from './small-policy.ts';

let dir: string;
let settings: TrmFileSettings;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sophia-trm-file-'));
  const file = join(dir, 'rows.jsonl');
  const rows = Array.from({ length: 12 }, (_, i) => annotatedRow(i, { score: i / 11 }));
  writeFileSync(file, rows.map((row) => jsonLine(rowOf(row, file))).join(''));
  settings = {
    file,
    model: await untrained(dir),
    heldOut: 0.4,
    seed: 0,
    epochs: 1,
    batch: 6,
    order: 'epochs',
    optimizer: {
      learning_rate: 1e-3,
      warmup: 0,
      schedule: 'cosine',
      final: 0.05,
      betas: [0.9, 0.98],
      eps: 1e-8,
      weight_decay: 0,
      max_grad_norm: 1,
    },
    loraRank: null,
    template: null,
    questionTemplate: null,
    steps: null,
  };
}, 60_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

const train = (resume: boolean, over: Partial<TrmFileSettings> = {}) =>
  trainTrmOnFile(
    { ...settings, ...over },
    {
      out: join(dir, 'trained'),
      resume,
      saveEvery: null,
      access: OWN_FOLDER,
      maxBad: 0,
      threads: 1,
      tokenBudget: 2048,
      howToResume: '',
      signal: new AbortController().signal,
      start: () => {},
      progress: () => {},
      warn: () => {},
    },
  );

describe('a training', () => {
  it('is gone on with only where settings and input are as they were', async () => {
    const done = await train(false);
    const held = (await readJsonlValues(join(dir, 'trained/held-out.jsonl'))) as { score: number }[];
    expect(held).toHaveLength(done.held_out);
    expect(held[0]).toMatchObject({ path: '', response: expect.any(String), score: expect.any(Number) });
    expect(await train(true)).toEqual(done);

    await expect(train(true, { batch: 7 })).rejects.toThrow(
      /training\.json: batch: was 6; go on with the same/,
    );
    const bytes = readFileSync(settings.file).length;
    appendFileSync(settings.file, jsonLine(rowOf(annotatedRow(99), settings.file)));
    await expect(train(true)).rejects.toThrow(
      new RegExp(`rows\\.jsonl: had ${bytes} bytes when this training was begun, and has \\d+ now; `),
    );
  }, 60_000);

  it('whose training.json is damaged is refused in one line', async () => {
    for (const damaged of ['{"file": ', '[]', 'null']) {
      writeFileSync(join(dir, 'trained/training.json'), damaged);
      await expect(train(true)).rejects.toThrow(/^[^\n]*trained\/training\.json: [^\n]+$/);
    }
  });
});
