import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadChat } from '../../src/data/chat/chat.ts';
import { domainOf } from '../../src/data/records/domains.ts';
import { Filter, filterLine, openFilter } from '../../src/data/records/filter.ts';
import { openSources } from '../../src/data/records/sources.ts';
import { qwen, temporaryFolder } from './folder.ts';
import { writeParquet } from './parquet-files.ts';

const set = () => {
  const folder = temporaryFolder();
  const file = join(folder, 'a.parquet');
  writeParquet(
    file,
    ['short', 'a question of some words', 'never solved', 'always solved', 'sometimes solved'].map(
      (problem, id) => ({
        problem_id: id,
        problem,
        data_source: id === 1 ? 'ChartQA' : 'GSM8K',
      }),
    ),
    2,
  );
  return { folder, file };
};
const group = (problem_id: number, problem: string, right: boolean[]) => ({
  problem_id,
  problem,
  responses: right.map((one) => ({ right: one })),
});
const kept = async (
  file: string,
  filter: object,
  chat: Awaited<ReturnType<typeof loadChat>> | null = null,
) => {
  const { total, each } = await openFilter({
    filter: Filter.parse(filter),
    chat,
    template: '{problem}',
    domains: {},
  });
  const records = await openSources(file, each);
  const ids = await Promise.all(
    Array.from({ length: records.length }, async (_, i) => (await records.get(i)).problem_id),
  );
  return { ids, line: filterLine(total), blocks: records.blocks };
};

describe('a filter', () => {
  it('drops questions by length, in characters and in the tokens of a model', async () => {
    const { file } = set();
    expect(await kept(file, { min_prompt_chars: 6 })).toEqual({
      ids: [1, 2, 3, 4],
      line: 'data.filter: 4 of 5 records kept; dropped: 1 by min_prompt_chars',
      blocks: [1, 2, 1],
    });
    const chat = await loadChat(join(qwen, 'model'));
    const tokens = chat.tokenizer.encode('a question of some words').length;
    expect((await kept(file, { max_prompt_tokens: tokens - 1 }, chat)).ids).not.toContain(1);
    expect((await kept(file, { max_prompt_tokens: 1000 }, chat)).ids).toEqual([0, 1, 2, 3, 4]);
  });

  it('drops what the policy always or never solved, by a run’s rollouts or collected responses', async () => {
    const { folder, file } = set();
    const stage = join(folder, 'run/seed-0/grpo/rollouts');
    mkdirSync(stage, { recursive: true });
    const lines = (rows: object[]) => rows.map((row) => JSON.stringify(row)).join('\n');
    writeFileSync(
      join(stage, '000001.jsonl'),
      lines([group(2, 'never solved', [false, false]), group(3, 'always solved', [true, true])]),
    );
    writeFileSync(
      join(stage, '000002.jsonl'),
      lines([
        group(4, 'sometimes solved', [true, false]),
        group(1, 'another question of that number', [false]),
      ]),
    );
    const line = 'data.filter: 3 of 5 records kept; dropped: 2 by difficulty; 2 in no rollout, kept';
    expect(await kept(file, { difficulty: { rollouts: join(folder, 'run') } })).toMatchObject({
      ids: [0, 1, 4],
      line,
    });
    const collected = join(folder, 'collected.jsonl');
    writeFileSync(
      collected,
      lines([true, true, false].map((right) => ({ problem_id: 3, problem: 'always solved', right }))),
    );
    const narrow = { rollouts: [collected], min: 0.7 };
    expect((await kept(file, { difficulty: narrow })).ids).toEqual([0, 1, 2, 4]);
  });

  it('keeps some domains alone', async () => {
    expect((await kept(set().file, { domains: ['chart', 'ocr'] })).ids).toEqual([1]);
  });

  it('says so where nothing is left, or where there are no rollouts', async () => {
    const { folder, file } = set();
    await expect(kept(file, { min_prompt_chars: 99 })).rejects.toThrow(
      /drops every record of .*a\.parquet \(5 by min_prompt_chars\)/,
    );
    await expect(kept(file, { difficulty: { rollouts: folder } })).rejects.toThrow(/holds no rollouts/);
    await expect(kept(file, { difficulty: { rollouts: join(folder, 'no') } })).rejects.toThrow(
      /data\.filter\.difficulty\.rollouts: .*no such file/,
    );
  });
});

describe('a domain', () => {
  it.each([
    ['A-OKVQA', 'general'],
    ['RoBUT SQA', 'chart'],
    ['PMC-VQA', 'knowledge'],
    ['Rendered Text', 'ocr'],
    ['Multimath-300k', 'math'],
    ['GeoQA+', 'math'],
    ['HuggingFaceM4/ChartQA', 'chart'],
    ['geometry3k_train', 'math'],
    ['something else', null],
  ])('%s: %s', (source, domain) => expect(domainOf(source)).toBe(domain));

  it('is the user’s own where one is named', () => {
    expect(domainOf('My Charts', { 'my-charts': 'chart' })).toBe('chart');
    expect(domainOf('GSM8K', { GSM8K: 'general' })).toBe('general');
  });
});
