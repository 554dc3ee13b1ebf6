/** What `sophia eval --data` may name. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { openQuestions, type Questions } from '../../src/eval/record-file.ts';
import { temporaryFolder } from '../data/folder.ts';
import { writeParquet } from '../data/parquet-files.ts';

const jsonl = (ids: number[], more: object = {}) =>
  ids
    .map((id) => {
      const kind = { data_type: 'text', problem_type: 'numerical', solution: '1' };
      return `${JSON.stringify({ problem_id: id, problem: '?', ...kind, ...more })}\n`;
    })
    .join('');

async function ids({ records }: Questions) {
  const all = Array.from({ length: records.length }, (_, i) => records.get(i));
  return (await Promise.all(all)).map(({ problem_id: id }) => id);
}

/** Two sets of shards: three rows in JSONL, three in Parquet. */
function sets(): string {
  const folder = temporaryFolder();
  for (const name of ['lines', 'columns']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'lines/train-0.jsonl'), jsonl([0, 1]));
  writeFileSync(join(folder, 'lines/train-1.jsonl'), jsonl([2]));
  writeParquet(join(folder, 'columns/test-0.parquet'), [{ problem_id: 0 }]);
  writeParquet(join(folder, 'columns/test-1.parquet'), [{ problem_id: 1 }, { problem_id: 2 }]);
  return folder;
}

describe('openQuestions', () => {
  it.each([
    ['lines', 'lines'],
    ['lines/*.jsonl', 'records'],
    ['lines/train-*.jsonl', 'train'],
    ['columns', 'columns'],
    ['columns/test-*.parquet', 'test'],
  ])('takes shards: %s', async (data, split) => {
    const questions = await openQuestions(join(sets(), data), null, null);
    expect(await ids(questions)).toEqual([0, 1, 2]);
    expect(questions.split).toBe(split);
  });

  it('asks the hub for a repository', async () => {
    vi.stubEnv('HF_HOME', temporaryFolder());
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    await expect(openQuestions('hf://datasets/some/set', null, null)).rejects.toThrow(
      /^hf:\/\/datasets\/some\/set.*(cache|HF_HUB_OFFLINE)/,
    );
    vi.unstubAllEnvs();
  });

  it('takes no shard for a split that is not there', async () => {
    await expect(openQuestions(join(sets(), 'lines'), 'test', null)).rejects.toThrow(
      /lines: holds no test\.jsonl; choose one with --split: train-0, train-1$/,
    );
  });

  it("does not take somebody else's field for a world's split", async () => {
    const file = join(temporaryFolder(), 'mine.jsonl');
    writeFileSync(file, jsonl([0, 1], { world: { split: 'night' } }));
    const questions = await openQuestions(file, 'day', null);
    expect([questions.records.length, questions.split]).toEqual([2, 'day']);
  });
});
