/**
 * Python's built-ins as the official scorers lean on them: float(), int(), round(), str(), repr() and len() of text.
 * They differ from JavaScript's in what they take (`1_000`, `٣`, `infinity`), in rounding (the nearest decimal to the
 * exact binary value, ties to even) and in spelling (`5.0`, `1e-05`, `None`).
 * Sources: Python 3.11, "Built-in Functions" and "Built-in Types"; CPython's floatobject.c and unicodeobject.c.
 */

/** float(text); null where Python raises ValueError. */
export function pyFloat(text: string): number | null {
  const plain = asciiNumber(text);
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(plain);
  if (special) {
    if (/nan/i.test(special[2])) return Number.NaN;
    return special[1] === '-' ? -Infinity : Infinity;
  }
  if (!/^[+-]?(\d[\d_]*\.?|\d[\d_]*\.\d[\d_]*|\.\d[\d_]*)([eE][+-]?\d[\d_]*)?$/.test(plain)) return null;
  if (/_(?!\d)/.test(plain)) return null;
  return Number(plain.replaceAll('_', ''));
}

/** int(text); null where Python raises ValueError. */
export function pyInt(text: string): bigint | null {
  const plain = asciiNumber(text);
  if (!/^[+-]?\d+(_\d+)*$/.test(plain)) return null;
  const digits = plain.replaceAll('_', '').replace(/^[+-]/, '');
  if (digits.length > LONGEST_INT) return null;
  return plain.startsWith('-') ? -BigInt(digits) : BigInt(digits);
}

/** Python refuses to read longer ones (sys.set_int_max_str_digits). */
const LONGEST_INT = 4300;

/** int(x) of a float: towards zero; null where Python raises (nan, inf). */
export function pyTruncate(x: number): bigint | null {
  return Number.isFinite(x) ? BigInt(Math.trunc(x)) : null;
}

/** round(x, digits) of a float; null where the result is too large for one. */
export function pyRound(x: number, digits: number): number | null {
  if (!Number.isFinite(x) || x === 0 || digits > 323) return x;
  if (digits < -308) return 0 * x;
  const [mantissa, exponent] = fraction(Math.abs(x));
  // |x| · 10^digits as a fraction of whole numbers, then to the nearest, ties to even
  let numerator = mantissa;
  let denominator = 1n;
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  if (digits >= 0) numerator *= 10n ** BigInt(digits);
  else denominator *= 10n ** BigInt(-digits);
  let whole = numerator / denominator;
  const twice = 2n * (numerator % denominator);
  if (twice > denominator || (twice === denominator && whole % 2n === 1n)) whole += 1n;
  const rounded = Number(`${whole}e${-digits}`);
  if (!Number.isFinite(rounded)) return null;
  return x < 0 ? -rounded : rounded;
}

/** A positive finite number as mantissa · 2^exponent. */
function fraction(x: number): [mantissa: bigint, exponent: number] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = Number(bits >> 52n) & 0x7ff;
  const rest = bits & ((1n << 52n) - 1n);
  return exponent === 0 ? [rest, -1074] : [rest | (1n << 52n), exponent - 1075];
}

/** repr(x) of a float: `5.0`, `1e+16`, `nan`. */
export function pyFloatText(x: number): string {
  if (Number.isNaN(x)) return 'nan';
  if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf';
  const sign = x < 0 || Object.is(x, -0) ? '-' : '';
  const [coefficient, power] = Math.abs(x).toExponential().split('e');
  const digits = coefficient.replace('.', '');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    const point = digits.length > 1 ? `.${digits.slice(1)}` : '';
    const size = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${digits[0]}${point}e${exponent < 0 ? '-' : '+'}${size}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

/** str() of a value that came from JSON, which does not tell 5.0 from 5: whole numbers are ints. */
export function pyText(value: unknown): string {
  return typeof value === 'string' ? value : pyRepr(value);
}

/** repr() of a value that came from JSON. */
function pyRepr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : pyFloatText(value);
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(pyRepr).join(', ')}]`;
  const entries = Object.entries(value as object);
  return `{${entries.map(([key, item]) => `${quoted(key)}: ${pyRepr(item)}`).join(', ')}}`;
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (char === quote || char === '\\') out += `\\${char}`;
    else if (ESCAPES[char] !== undefined) out += ESCAPES[char];
    else if (char === ' ' || !/[\p{C}\p{Z}]/u.test(char)) out += char;
    else if (code < 0x100) out += `\\x${hex(code, 2)}`;
    else out += code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
  }
  return quote + out + quote;
}

const ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const hex = (code: number, length: number) => code.toString(16).padStart(length, '0');

/** len() of text: code points. */
export function pyLength(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length - 1; i++) if (isPair(text, i)) length--;
  return length;
}

function isPair(text: string, i: number): boolean {
  const high = text.charCodeAt(i);
  const low = text.charCodeAt(i + 1);
  return high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000;
}

/**
 * What float() and int() see: digits of all scripts as ASCII's and every kind of white space as a blank, but in text that is
 * not all ASCII only; then without the white space of C at the ends.
 */
function asciiNumber(text: string): string {
  const plain = /^[\0-\x7f]*$/.test(text)
    ? text
    : text.replace(/[\p{Nd}\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/gu, (char) =>
        isDigit(char) ? String(digitValue(char.codePointAt(0)!)) : ' ',
      );
  return plain.replace(/^[\t-\r ]+|[\t-\r ]+$/g, '');
}

const isDigit = (char: string) => /\p{Nd}/u.test(char);

/** Decimal digits come in runs of ten from nought to nine, some runs side by side. */
function digitValue(code: number): number {
  let first = code;
  while (isDigit(String.fromCodePoint(first - 1))) first--;
  return (code - first) % 10;
}
