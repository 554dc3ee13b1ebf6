import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/pictures/images.ts';
import { temporaryFolder } from '../data/folder.ts';
import { writeParquet } from '../data/parquet-files.ts';
import { sophia } from './sophia.ts';

const row = (fields: object) =>
  JSON.stringify({
    problem_id: 0,
    problem: '?',
    data_type: 'text',
    problem_type: 'numerical',
    solution: '1',
    ...fields,
  });

async function mixed(): Promise<{ folder: string; jsonl: string; parquet: string }> {
  const folder = temporaryFolder();
  const jsonl = join(folder, 'rows.jsonl');
  const png = await encodePng(new Uint8Array(12), 2, 2);
  writeFileSync(
    jsonl,
    [
      row({}),
      'nope',
      row({ problem_id: 2, problem_type: 'essay' }),
      row({ problem_id: 0 }),
      row({ problem_id: 4, solution: '<answer>five</answer>' }),
      row({ problem_id: 5, problem_type: 'multiple choice', options: ['A. 1', 'B. 2'], solution: 'C' }),
      row({ problem_id: 6, problem: ' ' }),
      row({ problem_id: 7, data_type: 'image', path: 'none.png' }),
      row({
        problem_id: 8,
        problem_type: 'multiple choice',
        options: ['A. 1', 'B. 2'],
        solution: '<answer>A, B</answer>',
      }),
      row({ problem_id: 9, problem_type: 'free-form', solution: 'word' }),
    ].join('\n'),
  );
  const parquet = join(folder, 'p.parquet');
  const image = (bytes: Uint8Array) => ({ bytes, path: null });
  writeParquet(parquet, [
    { problem_id: 100, image: image(png) },
    { problem_id: 101, image: image(Buffer.from('no picture')) },
    { problem_id: 102, image: image(png.subarray(0, 40)), data_source: 'my-charts' },
  ]);
  return { folder, jsonl, parquet };
}

describe('sophia data check', () => {
  it('says every bad row with file, line and reason, and ends with 2', async () => {
    const { folder, jsonl, parquet } = await mixed();
    const out = join(folder, 'bad.jsonl');
    const { code, stdout, stderr } = await sophia(
      folder,
      'data',
      'check',
      jsonl,
      parquet,
      '--json',
      '--out',
      out,
    );
    expect(code).toBe(2);
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^13 rows in 2 files: \d+ bad/);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ files: 2, rows: 13, pictures: 'header' });
    const bad = readFileSync(out, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(bad.filter(({ file }) => file === jsonl).map(({ row, kind }) => [row, kind])).toEqual([
      [2, 'unreadable'],
      [3, 'schema'],
      [4, 'duplicate_id'],
      [5, 'solution'],
      [6, 'solution'],
      [7, 'empty_problem'],
      [8, 'missing_picture'],
    ]);
    expect(bad.filter(({ file }) => file === parquet).map(({ row, kind }) => [row, kind])).toContainEqual([
      1,
      'bad_picture',
    ]);
    expect(report.bad).toBe(bad.length);
  });

  it('decodes pictures to the end where it is told to', async () => {
    const { folder, parquet } = await mixed();
    const { code, stdout } = await sophia(folder, 'data', 'check', parquet, '--pictures', 'decode');
    expect(code).toBe(2);
    expect(stdout).toMatch(/p\.parquet#1: picture: .*\n.*p\.parquet#2: picture: /);
  });

  it('ends with 0 where all is good', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a.jsonl'), row({}));
    const { code, stdout } = await sophia(folder, 'data', 'check', 'a.jsonl');
    expect([code, stdout]).toEqual([0, '1 row in 1 file: all good (pictures: header)\n']);
  });
});

describe('sophia data stats', () => {
  it('counts kinds, domains and sources, and measures lengths and pictures', async () => {
    const { folder, jsonl, parquet } = await mixed();
    const domains = join(folder, 'domains.json');
    writeFileSync(domains, JSON.stringify({ 'my-charts': 'chart' }));
    const { code, stdout } = await sophia(
      folder,
      'data',
      'stats',
      jsonl,
      parquet,
      '--json',
      '--domains',
      domains,
    );
    expect(code).toBe(0);
    const stats = JSON.parse(stdout);
    expect(stats).toMatchObject({ files: 2, records: 11, unusable: 2 });
    expect(stats.problem_type).toEqual({ numerical: 8, 'multiple choice': 2, 'free-form': 1 });
    expect(stats.domain).toEqual({ general: 2, chart: 1, knowledge: 0, ocr: 0, math: 0, unknown: 8 });
    expect(stats.unknown_sources).toEqual(['(none)']);
    expect(stats.options).toMatchObject({ n: 2, min: 2, max: 2 });
    expect(stats.pictures.width).toMatchObject({ min: 2, max: 2 });
    const table = await sophia(folder, 'data', 'stats', parquet);
    expect(table.stdout).toMatch(/3 records in 1 file/);
    expect(table.stdout).toMatch(/of no known domain: my-charts/);
  });
});
