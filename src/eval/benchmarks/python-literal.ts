/**
 * Python literals as published tables hold them: `['3/11', "a 'b'"]`, `{'subject': 'Functions'}`, with numbers, None, True
 * and False. Source: Python 3.11, `ast.literal_eval`; bytes, sets, complex numbers and string prefixes are not read.
 */

/** The value of a literal, tuples as arrays. Throws SyntaxError. */
export function pyLiteral(text: string): unknown {
  let at = 0;
  const fail = (): never => {
    throw new SyntaxError(`not a Python literal at character ${at + 1}`);
  };
  const skip = () => {
    while (/\s/.test(text[at] ?? '')) at++;
  };
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? null;
    if (found !== null) at += found.length;
    return found;
  };

  const value = (depth: number): unknown => {
    if (depth > DEEPEST) fail();
    skip();
    const char = text[at];
    if (char === '[') return list(']', depth);
    if (char === '(') return list(')', depth);
    if (char === '{') return dictionary(depth);
    if (char === '"' || char === "'") return strings();
    const number = take(NUMBER);
    if (number !== null) return Number(number.replaceAll('_', ''));
    const word = take(/None|True|False/y) ?? fail();
    return word === 'None' ? null : word === 'True';
  };

  const list = (end: string, depth: number): unknown[] => {
    const items: unknown[] = [];
    at++;
    for (;;) {
      skip();
      if (text[at] === end) break;
      items.push(value(depth + 1));
      skip();
      if (text[at] === ',') at++;
      else if (text[at] !== end) fail();
    }
    at++;
    return items;
  };

  const dictionary = (depth: number): Record<string, unknown> => {
    const entries: [string, unknown][] = [];
    at++;
    for (;;) {
      skip();
      if (text[at] === '}') break;
      const key = value(depth + 1);
      skip();
      if (text[at] !== ':') fail();
      at++;
      entries.push([String(key), value(depth + 1)]);
      skip();
      if (text[at] === ',') at++;
      else if (text[at] !== '}') fail();
    }
    at++;
    return Object.fromEntries(entries);
  };

  // strings side by side are one string
  const strings = (): string => {
    let whole = '';
    while (text[at] === '"' || text[at] === "'") {
      const quoted = take(QUOTED) ?? fail();
      whole += quoted.slice(1, -1).replace(ESCAPE, unescaped);
      skip();
    }
    return whole;
  };

  const result = value(0);
  skip();
  if (at < text.length) fail();
  return result;
}

/** No published value is nested deeper than two. */
const DEEPEST = 50;
const NUMBER = /[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y;
const QUOTED = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
const ESCAPE = /\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{1,3}|[\s\S])/g;
const SINGLE: Record<string, string> = {
  '\n': '',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** One escape sequence; an unknown one stays as it is, backslash and all. */
function unescaped(sequence: string): string {
  const kind = sequence[1];
  const rest = sequence.slice(2);
  if (kind === 'x' || kind === 'u' || kind === 'U') {
    const code = Number.parseInt(rest, 16);
    // `\x` without two digits after it and the like
    return rest === '' || code > 0x10ffff ? sequence : String.fromCodePoint(code);
  }
  if (/[0-7]/.test(kind)) return String.fromCharCode(Number.parseInt(sequence.slice(1), 8));
  return SINGLE[kind] ?? sequence;
}
