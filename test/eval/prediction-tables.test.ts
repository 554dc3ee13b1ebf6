/**
 * Prediction tables: the same cells as pandas reads (fixtures written and read back by pandas 3.0 with xlsxwriter and
 * openpyxl), named as the benchmarks want them; damaged and hostile files cost one line and no memory.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { strToU8, unzipSync, zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import writeXlsxFile from 'write-excel-file/node';
import { InputError } from '../../src/errors.ts';
import { type BenchmarkName, benchmarkNames, type Row } from '../../src/eval/benchmarks/benchmark.ts';
import { chartqa } from '../../src/eval/benchmarks/chartqa.ts';
import { mmbench } from '../../src/eval/benchmarks/mmbench.ts';
import { mme } from '../../src/eval/benchmarks/mme.ts';
import { mmstar } from '../../src/eval/benchmarks/mmstar.ts';
import { readTable } from '../../src/eval/prediction-tables.ts';

const fixtures = 'test/fixtures/prediction-tables';
const expected: Record<string, Record<'xlsx' | 'tsv', Record<string, string>[]>> = JSON.parse(
  readFileSync(`${fixtures}/expected.json`, 'utf8'),
);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tables-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(file: string, benchmark: BenchmarkName): Promise<{ value: Row; source: string }[]> {
  const rows = [];
  for await (const row of readTable(file, benchmark)) rows.push(row);
  return rows;
}

async function complaint(file: string): Promise<string> {
  const error = await read(file, 'mme').then(
    () => null,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).not.toContain('\n');
  return error.message.replace(folder, '');
}

/** Where an official name differs from the column's. */
const renamed: Record<string, Record<string, string>> = {
  mathvista: { index: 'pid' },
  mmmu: {},
  mathverse: {},
};

describe.each(benchmarkNames)('%s', (name) => {
  test.each(['xlsx', 'tsv'] as const)('the cells of its .%s are those that pandas reads', async (kind) => {
    const rows = await read(`${fixtures}/${name}.${kind}`, name);
    expect(rows).toHaveLength(expected[name][kind].length);
    expected[name][kind].forEach((cells, i) => {
      const want: Record<string, unknown> = { response: '' };
      for (const [column, cell] of Object.entries(cells))
        want[column === 'prediction' ? 'response' : (renamed[name]?.[column] ?? column)] = cell;
      const got = Object.fromEntries(
        Object.entries(rows[i].value).map(([column, value]) => {
          if (typeof value === 'number') return [column, number(value, want[column])];
          if (Array.isArray(value)) return [column, `[${value.map((item) => `'${item}'`).join(', ')}]`];
          const text = String(value);
          return [column, text.length > 1000 ? { length: text.length, end: text.slice(-20) } : text];
        }),
      );
      expect(got).toEqual(want);
    });
  });
});

/** pandas prints a float's column with a point. */
function number(value: number, wanted: unknown): unknown {
  return Number(wanted) === value ? wanted : value;
}

test("several right answers to an open question of MMMU's are a list", async () => {
  const [, open] = await read(`${fixtures}/mmmu.xlsx`, 'mmmu');
  expect(open.value.answer).toEqual(['1.06', '1,06']);
});

test('rows are named by sheet and by the row that a spreadsheet program shows', async () => {
  expect((await read(`${fixtures}/mme.xlsx`, 'mme')).map(({ source }) => source)).toEqual([
    `${fixtures}/mme.xlsx: sheet Sheet1, row 2`,
    `${fixtures}/mme.xlsx: sheet Sheet1, row 3`,
  ]);
  expect((await read(`${fixtures}/mmstar.csv`, 'mmstar')).map(({ source }) => source)).toEqual([
    `${fixtures}/mmstar.csv: row 2`,
    `${fixtures}/mmstar.csv: row 3`,
  ]);
});

test('tables of MME, MMStar, ChartQA and MMBench go straight into scoring', async () => {
  // a sheet's cell ends after 32,767 characters, and with it the one long response's answer
  for (const [kind, mmstarHits] of [
    ['xlsx', 1],
    ['tsv', 2],
  ]) {
    const scored = [];
    for (const benchmark of [mme, mmstar, chartqa, mmbench]) {
      const rows = await read(`${fixtures}/${benchmark.name}.${kind}`, benchmark.name);
      const parsed = rows.map(({ value, source }) => benchmark.parse(value, source));
      scored.push(benchmark.score(parsed, 'official').summary.correct);
    }
    expect(scored).toEqual([1, mmstarHits, 4, 1]);
  }
});

test('a table by another writer, its predictions on the second sheet, with truth values and numbers', async () => {
  const file = join(folder, 'second.xlsx');
  const cell = (value: unknown) => ({ value, type: (value as object).constructor }) as never;
  await writeXlsxFile([
    { data: [[cell('notes')], [cell('none')]], sheet: 'About' },
    {
      data: [
        [cell('index'), cell('answer'), cell('split'), cell('prediction'), cell('')],
        [cell(7), cell(2014), cell('test_human'), cell(' <answer>2014</answer>\nyes & <b> ')],
        [cell(8), cell(true), cell('test_human'), cell(false)],
      ] as never,
      sheet: 'Run 1',
    },
  ] as never).toFile(file);
  expect(await read(file, 'chartqa')).toEqual([
    {
      value: {
        index: 7,
        answer: '2014',
        split: 'test_human',
        response: ' <answer>2014</answer>\nyes & <b> ',
      },
      source: `${file}: sheet Run 1, row 2`,
    },
    {
      value: { index: 8, answer: 'True', split: 'test_human', response: 'False' },
      source: `${file}: sheet Run 1, row 3`,
    },
  ]);
});

test('every text survives quoting as pandas writes it', async () => {
  const cell = fc
    .string({ unit: 'grapheme' })
    .map((text) => text.replaceAll('\0', ' ').replaceAll('\r', ' '));
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  await fc.assert(
    fc.asyncProperty(
      fc.array(cell, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('csv', 'tsv'),
      async (cells, kind) => {
        const file = join(folder, `any.${kind}`);
        const between = kind === 'csv' ? ',' : '\t';
        const lines = cells.map((text, i) => `${i}${between}${quoted(text)}\n`);
        await writeFile(file, `index${between}prediction\n${lines.join('')}`);
        const rows = await read(file, 'mme');
        expect(rows.map(({ value }) => value)).toEqual(cells.map((response, index) => ({ index, response })));
      },
    ),
    { numRuns: 100 },
  );
});

describe('what is wrong is one line', () => {
  test.each([
    ['no-file.xlsx', null, '/no-file.xlsx: cannot read: no such file'],
    ['no-file.tsv', null, '/no-file.tsv: cannot read: no such file'],
    ['empty.tsv', '', "/empty.tsv: is empty; the first row must hold the columns' names"],
    [
      'columns.tsv',
      'index\tanswer\n1\tA\n',
      '/columns.tsv: no column is called prediction; its columns are index, answer',
    ],
    [
      'twice.csv',
      'prediction,prediction\n1,2\n',
      '/twice.csv: two columns are called prediction; rename one',
    ],
    [
      'wide.csv',
      'index,prediction\n1,a,b\n',
      '/wide.csv: row 2: has 3 cells for 2 columns; is a quote or a tab not escaped?',
    ],
    [
      'latin.csv',
      Buffer.from('prediction\ncaf\xe9\n', 'latin1'),
      '/latin.csv: not valid UTF-8; save the file as UTF-8',
    ],
  ])('%s', async (name, content, message) => {
    const file = join(folder, name);
    if (content !== null) await writeFile(file, content);
    expect(await complaint(file)).toBe(message);
  });

  test('a quote that nothing closes', async () => {
    const file = join(folder, 'open.csv');
    await writeFile(file, 'index,prediction\n1,a\n2,"b\n');
    expect(await complaint(file)).toMatch(/^\/open\.csv: row 3: Quote Not Closed/);
  });

  test('an .xlsx that is none, an old .xls, and one that is cut off', async () => {
    const whole = readFileSync(`${fixtures}/mme.xlsx`);
    for (const [name, bytes] of [
      ['text.xlsx', Buffer.from('index,prediction\n')],
      ['old.xlsx', Buffer.from('d0cf11e0a1b11ae1', 'hex')],
      ['cut.xlsx', whole.subarray(0, whole.length - 30)],
      ['nothing.xlsx', Buffer.alloc(0)],
    ] as const) {
      await writeFile(join(folder, name), bytes);
      expect(await complaint(join(folder, name))).toContain(`/${name}: not a readable .xlsx file (`);
    }
  });
});

describe('hostile .xlsx files', () => {
  /** Another sheet in the fixture's place. */
  function withSheet(xml: string): Uint8Array {
    const files = unzipSync(readFileSync(`${fixtures}/mme.xlsx`));
    return zipSync({ ...files, 'xl/worksheets/sheet1.xml': strToU8(xml) }, { level: 1 });
  }

  test('one that says it unpacks to gigabytes is refused before it does', async () => {
    const file = join(folder, 'bomb.xlsx');
    const bytes = Buffer.from(zipSync({ 'xl/worksheets/sheet1.xml': deflateRawSync(Buffer.alloc(1 << 20)) }));
    // the sizes in the archive's directory, 24 bytes into its entry
    const entry = bytes.indexOf(Buffer.from('504b0102', 'hex'));
    bytes.writeUInt32LE(0xf0000000, entry + 24);
    await writeFile(file, bytes);
    expect(await complaint(file)).toContain('/bomb.xlsx: unpacks to more than 512 MB');
  });

  test('one that unpacks to more than it says gets no more room than it said', async () => {
    const file = join(folder, 'liar.xlsx');
    const bytes = Buffer.from(withSheet(`<worksheet>${' '.repeat(8 << 20)}</worksheet>`));
    for (
      let at = bytes.indexOf('504b0102', 0, 'hex');
      at !== -1;
      at = bytes.indexOf('504b0102', at + 1, 'hex')
    )
      bytes.writeUInt32LE(10, at + 24);
    await writeFile(file, bytes);
    const before = process.memoryUsage.rss();
    expect(await complaint(file)).toContain('/liar.xlsx: not a readable .xlsx file');
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 << 20);
  });

  test('a cell in the last corner makes no seventeen thousand million others', async () => {
    const file = join(folder, 'corner.xlsx');
    await writeFile(
      file,
      withSheet(
        '<worksheet><sheetData><row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>',
      ),
    );
    expect(await complaint(file)).toContain('/corner.xlsx: xl/worksheets/sheet1.xml spans 17179869184 cells');
  });

  test('any byte may be wrong: a table or one line comes of it', { timeout: 30_000 }, async () => {
    const whole = readFileSync(`${fixtures}/mmbench.xlsx`);
    const file = join(folder, 'damaged.xlsx');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (wrong) => {
          const bytes = Buffer.from(whole);
          for (const [at, byte] of wrong) bytes[at] = byte;
          await writeFile(file, bytes);
          await read(file, 'mmbench').catch((error) => {
            expect(error).toBeInstanceOf(InputError);
            expect(error.message).not.toContain('\n');
          });
        },
      ),
      { numRuns: 100 },
    );
  });
});
