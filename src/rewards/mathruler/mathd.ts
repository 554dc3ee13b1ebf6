/**
 * The stricter of mathruler's two normalisations: MATH's `normalize_answer` (Hendrycks et al. 2021, via
 * openai/prm800k and mathruler 0.1.0, math_normalize.py). Its quirks are kept: that is what it is for.
 */
import { strip } from '../whitespace.ts';

/** The normalised answer; where the original raises, the stripped answer as it is. */
export function normalizeMathd(text: string): string {
  const stripped = strip(text);
  const unwrapped = /^\\text\{([^\n]+?)\}$/.exec(stripped);
  const answer = unwrapped === null ? stripped : strip(unwrapped[1]);
  return normalized(answer) ?? answer;
}

/** Null where the original raises. */
function normalized(answer: string): string | null {
  let text = answer
    .replaceAll('\n', '')
    .replaceAll('\\!', '')
    .replaceAll('\\\\', '\\')
    .replaceAll('tfrac', 'frac')
    .replaceAll('dfrac', 'frac')
    .replaceAll('\\left', '')
    .replaceAll('\\right', '')
    .replaceAll('^{\\circ}', '')
    .replaceAll('^\\circ', '')
    .replaceAll('\\$', '');
  const units = text.split('\\text{ ');
  if (units.length > 2) return null;
  text = units[0].replaceAll('\\%', '').replaceAll('%', '').replaceAll(' .', ' 0.').replaceAll('{.', '{0.');
  if (text === '') return text;
  if (text.startsWith('.')) text = `0${text}`;
  const sides = text.split('=');
  if (sides.length === 2 && [...sides[0]].length <= 2) text = sides[1];
  const rooted = bracedRoots(text);
  if (rooted === null) return null;
  const fractions = bracedFractions(rooted.replaceAll(' ', ''));
  if (fractions === null) return null;
  return slashAsFraction(fractions === '0.5' ? '\\frac{1}{2}' : fractions);
}

/** `\sqrt3` → `\sqrt{3}`. */
function bracedRoots(text: string): string | null {
  const [head, ...tails] = text.split('\\sqrt');
  if (tails.includes('')) return null;
  return head + tails.map((tail) => `\\sqrt${tail.startsWith('{') ? tail : braceFirst(tail)}`).join('');
}

/** `\frac12` → `\frac{1}{2}`; the whole string as it was where one is cut short. */
function bracedFractions(text: string): string | null {
  const [head, ...tails] = text.split('\\frac');
  let out = head;
  for (const tail of tails) {
    if (tail === '') return null;
    const [a, b, ...rest] = tail;
    if (a === '{') out += `\\frac${tail}`;
    else if (b === undefined) return text;
    else out += `\\frac{${a}}${b === '{' ? b : `{${b}}`}${rest.join('')}`;
  }
  return out;
}

function braceFirst(text: string): string {
  const [first, ...rest] = text;
  return `{${first}}${rest.join('')}`;
}

/** `3/4` → `\frac{3}{4}`, plain integers only. */
function slashAsFraction(text: string): string {
  const match = /^(0|-?[1-9][0-9]*)\/(0|-?[1-9][0-9]*)$/.exec(text);
  return match === null ? text : `\\frac{${match[1]}}{${match[2]}}`;
}
