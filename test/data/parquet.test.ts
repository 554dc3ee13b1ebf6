import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openParquet } from '../../src/data/parquet/parquet.ts';
import { parquetPicture, picturePlace } from '../../src/data/parquet/picture.ts';

const fixtures = join(import.meta.dirname, '../fixtures/parquet');
const files = readdirSync(fixtures).filter((name) => name.endsWith('.parquet'));
type GoldenRow = Record<string, unknown> & { picture: string | null };
const golden: GoldenRow[] = JSON.parse(readFileSync(join(fixtures, 'rows.json'), 'utf8'));
const text = golden.map(({ picture, ...row }) => row);
const textColumns = Object.keys(text[0]);

describe('Parquet files that Apache Arrow wrote', () => {
  it.each(files)('%s: rows are what Arrow reads', async (name) => {
    const parquet = await openParquet(join(fixtures, name));
    expect(parquet.length).toBe(10);
    expect(parquet.groups).toEqual(name.includes('bytes') ? [10] : [4, 4, 2]);
    expect(await parquet.rows(0, 10, textColumns)).toEqual(text);
    expect(await parquet.rows(3, 9, ['problem_id', 'options'])).toEqual(
      text.slice(3, 9).map(({ problem_id, options }) => ({ problem_id, options })),
    );
    expect(await parquet.rows(5, 5)).toEqual([]);
  });

  it.each(files)('%s: pictures come out byte by byte', async (name) => {
    const file = join(fixtures, name);
    for (const [row, { picture }] of golden.entries())
      if (picture === null)
        await expect(parquetPicture(file, row)).rejects.toThrow(/#\d: column \w+ holds no picture/);
      else expect((await parquetPicture(file, row)).toString('base64')).toBe(picture);
    await expect(parquetPicture(file, 10)).rejects.toThrow(
      `${file}#10: there is no such row; the file has 10`,
    );
  });

  it.each(files)('%s: which rows have bytes is known without decoding them', async (name) => {
    const parquet = await openParquet(join(fixtures, name));
    const { bytes } = picturePlace(parquet)!;
    const groups = await Promise.all(parquet.groups.map((_, g) => parquet.present(bytes, g)));
    expect(groups.flat()).toEqual(golden.map(({ picture }) => picture !== null));
  });
});
