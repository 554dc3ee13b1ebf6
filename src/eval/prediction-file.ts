/**
 * Predictions of a benchmark as the harnesses write them: JSON Lines, a JSON array, or an object of rows by their ids
 * (MathVista's result file, and MMMU's rows by id); and VLMEvalKit's tables (prediction-tables.ts). What a row holds is the benchmark's affair.
 */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { decodeUtf8, parseJson, readError, readJsonl } from '../data/jsonl.ts';
import { InputError } from '../errors.ts';
import type { BenchmarkName } from './benchmarks/benchmark.ts';
import { readTable, tableExtensions } from './prediction-tables.ts';

export interface PredictionRow {
  value: unknown;
  /** The beginning of every message about this row: `FILE:LINE`, `FILE: row 3`, `FILE: "12"`. */
  source: string;
}

type Reader = (file: string, benchmark: BenchmarkName) => AsyncGenerator<PredictionRow>;

/** By the file's extension. Standard input (`-`), and what has none, is JSON in any of its forms. */
const readers: Record<string, Reader> = {
  '.jsonl': (file) => readJsonl(file),
  '.ndjson': (file) => readJsonl(file),
  '.json': readJson,
  ...Object.fromEntries(tableExtensions.map((extension) => [extension, readTable])),
};

/** Rows of a file of predictions, or of standard input (`-`). Throws InputError. */
export function readPredictions(file: string, benchmark: BenchmarkName): AsyncGenerator<PredictionRow> {
  const extension = extname(file).toLowerCase();
  const read = extension === '' ? readJson : readers[extension];
  if (read === undefined)
    throw new InputError(
      `${file}: predictions are read from files that end in ${Object.keys(readers).join(', ')}; convert or rename it`,
    );
  return read(file, benchmark);
}

/** The field that holds a row's id, where rows stand by their ids. */
const idFields: Partial<Record<BenchmarkName, string>> = {
  mathvista: 'pid',
  mathverse: 'sample_index',
};

/** One document, or one a line: some write JSON Lines into a file called .json. */
async function* readJson(file: string, benchmark: BenchmarkName): AsyncGenerator<PredictionRow> {
  const name = file === '-' ? '<stdin>' : file;
  const text = decodeUtf8(await bytesOf(file), name).replace(/^\ufeff/, '');
  const lines = text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [{ line, number: i + 1 }]));
  if (lines.length === 0) return;
  if (
    lines.length > 1 &&
    (isJson(lines[0].line) || lines.slice(0, 2).every(({ line }) => line.startsWith('{')))
  ) {
    for (const { line, number } of lines) {
      const source = `${name}:${number}`;
      yield { value: parseJson(line, source), source };
    }
    return;
  }
  const source = lines.length === 1 ? `${name}:${lines[0].number}` : name;
  yield* rowsOf(parseJson(text, source), name, idFields[benchmark] ?? 'id');
}

async function bytesOf(file: string): Promise<Buffer> {
  try {
    return await (file === '-' ? buffer(process.stdin) : readFile(file));
  } catch (error) {
    throw readError(error, file);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** One of them is in every row. */
const ROW_KEYS = ['answer', 'response', 'prediction'];

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function* rowsOf(whole: unknown, name: string, id: string): Generator<PredictionRow> {
  if (Array.isArray(whole)) {
    for (const [i, value] of whole.entries()) yield { value, source: `${name}: row ${i + 1}` };
    return;
  }
  if (!isObject(whole))
    throw new InputError(`${name}: must hold rows: JSON Lines, an array, or an object by id`);
  const entries = Object.entries(whole);
  if (entries.every(([, value]) => isObject(value))) {
    for (const [key, value] of entries)
      yield { value: { [id]: key, ...(value as object) }, source: `${name}: ${JSON.stringify(key)}` };
    return;
  }
  if (!ROW_KEYS.some((key) => key in whole) && entries.every(([, value]) => typeof value === 'string'))
    throw new InputError(
      `${name}: holds answers by id without their questions; give the rows with the benchmark's fields`,
    );
  yield { value: whole, source: `${name}:1` };
}
