/** JSON Lines: one JSON document a line, strict UTF-8, read as a stream. Blank lines and a byte order mark are skipped. */
import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InputError } from '../errors.ts';
import { writeError, writeFileWhole } from './atomic.ts';

export interface JsonlRow {
  /** 1-based line number. */
  line: number;
  value: unknown;
  /** `FILE:LINE`, the beginning of every message about this row (`<stdin>:LINE` for standard input). */
  source: string;
}

/** A line without its end, and the byte offset at which it begins. */
export interface Line {
  line: number;
  offset: number;
  bytes: Buffer;
}

/**
 * Rows of a JSONL file, or of standard input (`-`), after the first `skip`, which are not looked at. Throws InputError
 * `FILE:LINE: …`; earlier rows have been given by then.
 */
export async function* readJsonl(file: string, skip = 0): AsyncGenerator<JsonlRow> {
  let passed = 0;
  for await (const line of readLines(file)) {
    const source = `${displayName(file)}:${line.line}`;
    if (isBlank(line, source)) continue;
    if (passed++ < skip) continue;
    const text = decodeUtf8(line.bytes, source);
    yield { line: line.line, value: parseJson(text, source), source };
  }
}

/** How many rows a file has; they are not looked at. */
export async function countRows(file: string): Promise<number> {
  let rows = 0;
  for await (const line of readLines(file)) if (!isBlank(line, `${displayName(file)}:${line.line}`)) rows++;
  return rows;
}

/** All rows' values; for small files. */
export async function readJsonlValues(file: string): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const row of readJsonl(file)) values.push(row.value);
  return values;
}

/** Writes all rows, whole or not at all. Throws RunError. */
export async function writeJsonl(file: string, rows: Iterable<unknown>): Promise<void> {
  await writeFileWhole(file, encoded(rows));
}

/** Appends one row and waits until it is on disk; only a kill half-way can leave a part of the line. Throws RunError. */
export async function appendJsonl(file: string, row: unknown): Promise<void> {
  const line = jsonLine(row);
  try {
    await mkdir(dirname(file), { recursive: true });
    const handle = await open(file, 'a');
    const { size } = await handle.stat();
    try {
      await handle.appendFile(line);
      await handle.sync();
    } catch (error) {
      await handle.truncate(size).catch(() => {});
      throw error;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw writeError(error, file);
  }
}

/** One row as a line. Throws TypeError for what JSON cannot hold (undefined, functions). */
export function jsonLine(row: unknown): string {
  const text = JSON.stringify(row);
  if (text === undefined) throw new TypeError('a JSONL row must be a JSON value');
  return `${text}\n`;
}

/** Whether a line holds nothing but white space; a line that begins with ASCII is told without being decoded. */
function isBlank({ bytes }: Line, source: string): boolean {
  const first = bytes.find((byte) => byte !== 32 && (byte < 9 || byte > 13));
  if (first === undefined) return true;
  return first >= 0x80 && decodeUtf8(bytes, source).trim() === '';
}

/** How a file is named in messages. */
function displayName(file: string): string {
  return file === '-' ? '<stdin>' : file;
}

/** Lines of a file or of standard input (`-`), blank ones too, without `\n` or a leading byte order mark. */
export async function* readLines(file: string): AsyncGenerator<Line> {
  let line = 0;
  let offset = 0;
  let pending: Buffer[] = [];
  let pendingLength = 0;
  const finish = (tail: Buffer, ended: boolean): Line => {
    const whole = pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
    pending = [];
    pendingLength = 0;
    const start = offset;
    offset += whole.length + (ended ? 1 : 0);
    line += 1;
    const marked =
      line === 1 && whole.length >= 3 && whole[0] === 0xef && whole[1] === 0xbb && whole[2] === 0xbf;
    return marked
      ? { line, offset: start + 3, bytes: whole.subarray(3) }
      : { line, offset: start, bytes: whole };
  };
  const input = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1 << 18 });
  try {
    for await (const piece of input) {
      const chunk: Buffer = typeof piece === 'string' ? Buffer.from(piece) : piece;
      let from = 0;
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
        yield finish(chunk.subarray(from, end), true);
        from = end + 1;
      }
      if (from === chunk.length) continue;
      pending.push(chunk.subarray(from));
      pendingLength += chunk.length - from;
      if (pendingLength > maxLineBytes)
        throw new InputError(
          `${displayName(file)}:${line + 1}: the line is longer than ${maxLineBytes >> 20} MB; write one JSON document a line`,
        );
    }
  } catch (error) {
    throw readError(error, file);
  }
  if (pendingLength > 0) yield finish(Buffer.alloc(0), false);
}

/** A failed read as one InputError line that names the file; anything that is no system error comes back as it is. */
export function readError(error: unknown, file: string): unknown {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (!(error instanceof Error) || code === undefined || syscall === undefined) return error;
  const reasons: Record<string, string> = {
    ENOENT: 'no such file',
    EISDIR: 'this is a folder, not a file',
    ENOTDIR: 'no such file',
    EACCES: 'permission denied',
  };
  return new InputError(`${displayName(file)}: cannot read: ${reasons[code] ?? error.message}`, {
    cause: error,
  });
}

/** Strict UTF-8. Throws InputError `SOURCE: …`. */
export function decodeUtf8(bytes: Uint8Array, source: string): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new InputError(`${source}: not valid UTF-8; save the file as UTF-8`);
  }
}

/** Throws InputError `SOURCE: …` with the parser's words. */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = (error as Error).message.replace(/\s+/g, ' ');
    throw new InputError(`${source}: not valid JSON (${reason}); is the line cut off?`);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const maxLineBytes = 256 << 20;

function* encoded(rows: Iterable<unknown>): Iterable<string> {
  for (const row of rows) yield jsonLine(row);
}
