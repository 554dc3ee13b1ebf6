/**
 * Tables as VLMEvalKit publishes them: tab-separated, pictures as base64 in a column `image`, where a short cell names
 * the row (by its `index`) whose picture is meant. Only where rows begin stays in memory.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { parse } from 'csv-parse';
import { parse as parseNow } from 'csv-parse/sync';
import { decodeUtf8, readError } from '../../data/jsonl.ts';
import { shortened } from '../../data/one-line.ts';
import { InputError } from '../../errors.ts';
import type { Row } from '../benchmarks/benchmark.ts';
import type { PublishedRows } from './published-rows.ts';

const FORMAT = { delimiter: '\t', record_delimiter: ['\r\n', '\n'] };
/** An image cell of at most so many characters is no picture but names a row; VLMEvalKit's limit. */
const REFERENCE = 64;
/** A table's longest row: tens of pictures. */
const MOST_ROW_BYTES = 256 << 20;

interface Place {
  start: number;
  end: number;
  line: number;
}

/** Reads the table once, noting where its rows are. Throws InputError `FILE:LINE: …`. */
export async function openTsv(file: string): Promise<PublishedRows> {
  const places: Place[] = [];
  /** Row number by `index`, of rows with a picture of their own. */
  const pictures = new Map<string, number>();
  const references = new Map<number, string>();
  let header: string[] | null = null;
  let end = 0;
  let line = 1;
  const stream = createReadStream(file);
  const parser = parse({ ...FORMAT, bom: true, info: true, max_record_size: MOST_ROW_BYTES });
  stream.on('error', (error) => parser.destroy(error));
  stream.pipe(parser);
  try {
    for await (const { info, record } of parser as AsyncIterable<{
      info: { bytes: number; lines: number };
      record: string[];
    }>) {
      if (header === null) {
        checkHeader(record, file);
        header = record;
      } else {
        const number = places.length;
        places.push({ start: end, end: info.bytes, line });
        const image = record[header.indexOf('image')] ?? '';
        const index = record[header.indexOf('index')] ?? '';
        if (image.length > REFERENCE) pictures.set(index, number);
        else if (image !== '') references.set(number, image.trim());
      }
      end = info.bytes;
      line = info.lines + 1;
    }
  } catch (error) {
    throw tableError(error, file);
  } finally {
    stream.destroy();
  }
  if (header === null)
    throw new InputError(`${file}: is empty; a table begins with the names of its columns`);
  const columns = header;
  const read = async (i: number): Promise<Row> => rowAt(file, places[i], columns);
  return {
    length: places.length,
    source: (i) => `${file}:${places[i].line}`,
    async get(i) {
      const row = await read(i);
      const meant = references.get(i);
      const other = meant === undefined ? undefined : pictures.get(meant);
      return other === undefined ? row : { ...row, image: (await read(other)).image };
    },
  };
}

function checkHeader(names: readonly string[], file: string): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new InputError(`${file}:1: two columns are called ${twice}`);
  if (names.length < 2) throw new InputError(`${file}:1: one column only; columns must be separated by tabs`);
}

async function rowAt(file: string, { start, end, line }: Place, columns: string[]): Promise<Row> {
  const source = `${file}:${line}`;
  const handle = await open(file, 'r').catch((error) => {
    throw readError(error, file);
  });
  try {
    const bytes = Buffer.alloc(end - start);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
    const text = decodeUtf8(bytes.subarray(0, bytesRead), source);
    const rows = parseNow<Row>(text, { ...FORMAT, columns });
    if (bytesRead === bytes.length && rows.length === 1) return rows[0];
  } catch (error) {
    throw tableError(error, file, source);
  } finally {
    await handle.close();
  }
  throw new InputError(`${source}: the file was changed while it was in use`);
}

function tableError(error: unknown, file: string, source?: string): unknown {
  const { code, lines } = error as { code?: string; lines?: number };
  if (typeof code !== 'string' || !code.startsWith('CSV_')) return readError(error, file);
  const at = source ?? (lines === undefined ? file : `${file}:${lines}`);
  return new InputError(`${at}: not a tab-separated table (${shortened((error as Error).message)})`);
}
