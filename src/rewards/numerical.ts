/**
 * Numerical: 1 if both sides are plain decimals of equal value, or else if the stripped strings are equal.
 * Plain: sign, ASCII digits, point. No fractions, exponents, LaTeX, units or thousands separators.
 * Source: arXiv 2505.17018.
 */
import { strip } from './whitespace.ts';

export function numericalReward(answer: string, truth: string): number {
  const [a, b] = [strip(answer), strip(truth)];
  const value = decimalValue(a);
  return a === b || (value !== null && value === decimalValue(b)) ? 1 : 0;
}

/** Whether a text is a plain decimal, which alone has a value. */
export function parsesAsDecimal(text: string): boolean {
  return decimalValue(strip(text)) !== null;
}

/** A decimal's value as a canonical string: exact at any length, unlike a double. Null for anything else. */
function decimalValue(text: string): string | null {
  const match = /^([+-]?)([0-9]*)(?:\.([0-9]*))?$/.exec(text);
  if (match === null) return null;
  const [, sign, whole, fraction = ''] = match;
  if (whole === '' && fraction === '') return null;
  const digits = `${withoutLeadingZeros(whole)}.${withoutTrailingZeros(fraction)}`;
  return sign === '-' && digits !== '.' ? `-${digits}` : digits;
}

function withoutLeadingZeros(digits: string): string {
  let start = 0;
  while (digits[start] === '0') start++;
  return digits.slice(start);
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === '0') end--;
  return digits.slice(0, end);
}
