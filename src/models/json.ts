/**
 * JSON of a checkpoint folder, read strictly. RFC 8259 leaves the meaning of a repeated key open and
 * JSON.parse silently keeps the last one; in a safetensors header or a weight map that would hide damage,
 * so a repeated key is an error here.
 */
import type { z } from 'zod';
import { InputError } from '../errors.ts';

/** A name out of a file as it may stand in a one-line message: quoted, escaped, cut to a readable length. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 117)}...` : name);
}

/**
 * Parses `text`. Throws InputError (one line, beginning with `file`) where it is not JSON or where an object
 * names a key twice.
 */
export function parseJson(text: string, file: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(`${file}: not valid JSON; the file is cut off or damaged, copy it again`);
  }
  const repeated = repeatedKey(text);
  if (repeated !== undefined)
    throw new InputError(`${file}: the key ${quoted(repeated)} stands twice; keep one of them`);
  return value;
}

/** Holds `value` to `schema`; throws InputError naming `file`, the key and what is wrong with it. */
export function checked<T>(schema: z.ZodType<T>, value: unknown, file: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const key = issue.path.length === 0 ? '' : ` ${issue.path.map(String).join('.')}:`;
  throw new InputError(`${file}:${key} ${issue.message.replace(/\s+/g, ' ')}`);
}

/** The first key that stands twice in one object of `text`, which must be valid JSON. */
function repeatedKey(text: string): string | undefined {
  // One entry an open bracket: the keys seen so far in an object, null for an array.
  const open: (Set<string> | null)[] = [];
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === 0x7b) open.push(new Set());
    else if (c === 0x5b) open.push(null);
    else if (c === 0x7d || c === 0x5d) open.pop();
    else if (c === 0x22) {
      const start = at;
      for (at++; text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++;
      const end = at + 1;
      const keys = open.at(-1);
      if (!keys || !/^[ \t\n\r]*:/.test(text.slice(end, end + 64))) continue;
      const raw = text.slice(start, end);
      const key: string = raw.includes('\\') ? JSON.parse(raw) : raw.slice(1, -1);
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}
