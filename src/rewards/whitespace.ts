/**
 * White space as Python's str.strip, str.split and `\s` see it: every scorer we follow is written in Python,
 * which counts U+001C–U+001F and U+0085 as white space and U+FEFF not (JavaScript: the other way round).
 */

const isSpace = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

export function strip(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace.test(text[start])) start++;
  while (end > start && isSpace.test(text[end - 1])) end--;
  return text.slice(start, end);
}

export function isBlank(text: string): boolean {
  return strip(text) === '';
}

/** White-space separated words. */
export function words(text: string): string[] {
  return text.split(spaces).filter((word) => word !== '');
}

/** Runs of two and more white-space characters become one blank (jiwer's RemoveMultipleSpaces); single ones stay. */
export function joinRuns(text: string): string {
  return text.replace(runs, ' ');
}

/** One character of it, for a regular expression. */
export const space = isSpace.source;

const spaces = new RegExp(isSpace.source);
const runs = new RegExp(`${isSpace.source}{2,}`, 'g');
