/**
 * Regular expressions as adapter configurations carry them: Python's `re`, where PEFT calls `fullmatch` or `match`.
 * What Python and JavaScript write differently is translated; what JavaScript lacks (conditionals, atomic groups,
 * flags within the expression) is refused.
 */
import { InputError } from '../../errors.ts';
import { quoted } from '../json.ts';

// Escapes, whole character classes, and the constructs that are spelt differently.
const TOKEN =
  /\\([\s\S])|\[(\^?)(\]?)((?:\\[\s\S]|[^\]\\])*)\]|\(\?P<|\(\?P=(\w+)\)|\(\?#[^)]*\)|\{,(\d+)\}/g;

/** `re.fullmatch(pattern, ·)`. Throws InputError `WHERE: …` where the expression cannot be used. */
export function fullMatch(pattern: string, where: string): RegExp {
  return compiled(pattern, where, (body) => `^(?:${body})$`);
}

/** `re.match(before + pattern + after, ·)`: `before` and `after` are JavaScript's. Throws like {@link fullMatch}. */
export function matchBetween(before: string, pattern: string, after: string, where: string): RegExp {
  return compiled(pattern, where, (body) => `^${before}${body}${after}`);
}

function compiled(pattern: string, where: string, around: (body: string) => string): RegExp {
  const flags = /^\(\?([aimsu]+)\)/.exec(pattern);
  const body = pattern.slice(flags?.[0].length ?? 0).replace(TOKEN, translated);
  try {
    return new RegExp(around(body), (flags?.[1] ?? '').replace(/[au]|(.)(?=.*\1)/g, ''));
  } catch {
    throw new InputError(
      `${where}: the regular expression ${quoted(pattern)} cannot be used here; write a simpler one, or a list of module names`,
    );
  }
}

function translated(
  token: string,
  escaped?: string,
  not?: string,
  bracket?: string,
  members?: string,
  name?: string,
  most?: string,
): string {
  if (escaped === 'A') return '^';
  if (escaped === 'Z' || escaped === 'z') return '$';
  if (members !== undefined) return `[${not}${bracket ? '\\]' : ''}${members}]`;
  if (name !== undefined) return `\\k<${name}>`;
  if (most !== undefined) return `{0,${most}}`;
  if (token === '(?P<') return '(?<';
  return token.startsWith('(?#') ? '' : token;
}
