/**
 * Prediction tables of VLMEvalKit (`MODEL_DATASET.xlsx`, or .tsv and .csv as pandas writes them) as rows with a benchmark's
 * official field names. Cells come as the official scorers see them after pandas has read the file: what is empty is absent,
 * numbers and truth values of a text's column are Python's texts of them, `1.0` for an index is 1.
 */
import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { Readable } from 'node:stream';
import { parse as parseCsv } from 'csv-parse';
import { readError } from '../data/jsonl.ts';
import { shortened } from '../data/one-line.ts';
import { InputError } from '../errors.ts';
import type { BenchmarkName, Row } from './benchmarks/benchmark.ts';
import { isMissing } from './benchmarks/cells.ts';
import { pyFloat, pyFloatText } from './benchmarks/python.ts';
import { pyLiteral } from './benchmarks/python-literal.ts';
import { readXlsx } from './xlsx-sheets.ts';

export interface TableRow {
  value: Row;
  /** `FILE: row 3`, `FILE: sheet Sheet1, row 3`: as a spreadsheet program counts them, the names are row 1. */
  source: string;
}

export const tableExtensions = ['.xlsx', '.tsv', '.csv'] as const;

/** Rows of a table of predictions, by the file's extension. Throws InputError. */
export async function* readTable(file: string, benchmark: BenchmarkName): AsyncGenerator<TableRow> {
  const table = extname(file).toLowerCase() === '.xlsx' ? xlsxTable(file) : textTable(file);
  let columns: string[] | null = null;
  for await (const { cells, source } of table) {
    if (columns === null) columns = columnsOf(cells, file);
    else if (cells.some((cell) => !isEmpty(cell)))
      yield { value: rowOf(columns, cells, benchmark, source), source };
  }
  if (columns === null) throw new InputError(`${file}: is empty; the first row must hold the columns' names`);
}

interface Cells {
  cells: readonly unknown[];
  source: string;
}

/** The sheet that holds predictions, the first one where none does: its names are then complained about. */
async function* xlsxTable(file: string): AsyncGenerator<Cells> {
  const sheets = await readXlsx(file);
  const chosen =
    sheets.find(({ rows }) => rows[0]?.some((name) => responseNames.includes(nameOf(name)))) ?? sheets[0];
  for (const [i, cells] of (chosen?.rows ?? []).entries())
    yield { cells, source: `${file}: sheet ${chosen.name}, row ${i + 1}` };
}

async function* textTable(file: string): AsyncGenerator<Cells> {
  const parser = parseCsv({
    bom: true,
    delimiter: extname(file).toLowerCase() === '.csv' ? ',' : '\t',
    escape: '"',
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: maxRecordChars,
  });
  const input = Readable.from(decoded(file), { objectMode: false });
  input.on('error', (error) => parser.destroy(error));
  let row = 0;
  try {
    for await (const cells of input.pipe(parser)) yield { cells, source: `${file}: row ${++row}` };
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(
      `${file}: row ${row + 1}: ${shortened((error as Error).message)}; write the table as pandas' to_csv does`,
    );
  } finally {
    input.destroy();
  }
}

/** A row with seven pictures in base64 is no more than this. */
const maxRecordChars = 64 << 20;

/** Strict UTF-8. Throws InputError. */
async function* decoded(file: string): AsyncGenerator<string> {
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    for await (const bytes of createReadStream(file)) yield utf8.decode(bytes, { stream: true });
    yield utf8.decode();
  } catch (error) {
    if (error instanceof TypeError) throw new InputError(`${file}: not valid UTF-8; save the file as UTF-8`);
    throw readError(error, file);
  }
}

const responseNames = ['prediction', 'response'];
const nameOf = (cell: unknown) => (isMissing(cell) ? '' : String(cell).trim());
const isEmpty = (cell: unknown) => cell === null || cell === undefined || cell === '';

/** Throws InputError where nothing is predicted, or two columns have one name. */
function columnsOf(cells: readonly unknown[], file: string): string[] {
  const columns = cells.map(nameOf);
  const twice = columns.find((name, i) => name !== '' && columns.indexOf(name) !== i);
  if (twice !== undefined) throw new InputError(`${file}: two columns are called ${twice}; rename one`);
  if (!columns.some((name) => responseNames.includes(name)))
    throw new InputError(
      `${file}: no column is called prediction; its columns are ${shortened(columns.filter((name) => name !== '').join(', '))}`,
    );
  return columns;
}

/** VLMEvalKit's names of official fields, where they differ and the row has not the official one. */
const otherNames: Readonly<Record<BenchmarkName, Readonly<Record<string, string>>>> = {
  mathvista: { index: 'pid', res: 'extraction' },
  mathverse: { index: 'sample_index', extract: 'extraction', score: 'judgement' },
  mmmu: { index: 'id' },
  mme: {},
  mmstar: {},
  chartqa: {},
  mmbench: {},
};

/** Columns that hold numbers; in every other one a number is text. */
const numbers = new Set([
  'index',
  'g_index',
  'precision',
  'human_or_machine',
  'hit',
  'rotation_hit',
  'judgement',
]);
/** Pictures are of no use for scoring. */
const dropped = new Set(['', 'image']);

function rowOf(
  columns: readonly string[],
  cells: readonly unknown[],
  benchmark: BenchmarkName,
  source: string,
): Row {
  if (cells.length > columns.length && cells.slice(columns.length).some((cell) => !isEmpty(cell)))
    throw new InputError(
      `${source}: has ${cells.length} cells for ${columns.length} columns; is a quote or a tab not escaped?`,
    );
  const names: Record<string, string> = { prediction: 'response', ...otherNames[benchmark] };
  const row: Row = {};
  columns.forEach((column, i) => {
    if (dropped.has(column) || isEmpty(cells[i])) return;
    const official = Object.hasOwn(names, column) ? names[column] : column;
    const name = columns.includes(official) ? column : official;
    const value = numbers.has(name) ? numberOf(cells[i]) : textOf(cells[i]);
    if (value !== null) row[name] = value;
  });
  // several right answers to one of MMMU's open questions
  if (benchmark === 'mmmu' && typeof row.answer === 'string') row.answer = listIn(row.answer) ?? row.answer;
  // what pandas reads as not a number: nothing was predicted
  row.response ??= '';
  return row;
}

/** The list that the text of a Python list stands for; null where it is none. */
function listIn(cell: string): unknown[] | null {
  if (!cell.startsWith('[')) return null;
  try {
    const value = pyLiteral(cell);
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** The number where the cell holds one; null where pandas reads none. */
function numberOf(cell: unknown): unknown {
  if (isMissing(cell)) return null;
  return typeof cell === 'string' ? (pyFloat(cell) ?? cell) : cell;
}

/** Python's text of a cell: whole numbers without a point, dates as pandas prints them. */
function textOf(cell: unknown): string {
  if (typeof cell === 'boolean') return cell ? 'True' : 'False';
  if (typeof cell === 'number') return Number.isInteger(cell) ? String(BigInt(cell)) : pyFloatText(cell);
  if (cell instanceof Date) return cell.toISOString().slice(0, 19).replace('T', ' ');
  return String(cell);
}
