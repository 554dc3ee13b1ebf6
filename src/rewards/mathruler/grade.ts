/**
 * `grade_answer` of mathruler 0.1.0 (grader.py, from openai/prm800k), with which the published code grades
 * numerical answers: two answers are equal if either of two normalisations makes them the same string, or if
 * their difference simplifies to 0. 50% = 50, 1/2 = 0.5, `5 meters` = 5. Its sympy is replaced by expression.ts.
 */

import { strip } from '../whitespace.ts';
import { equalExpressions } from './expression.ts';
import { latexToExpression } from './latex.ts';
import { normalizeMathd } from './mathd.ts';

export function gradeAnswer(given: string, truth: string): boolean {
  if (normalizeMathd(given) === normalizeMathd(truth)) return true;
  const [answer, due] = [normalize(given), normalize(truth)];
  if (answer === due) return true;
  if (answer === '') return false;
  const [answers, dues] = [members(answer), members(due)];
  if (dues.length > 1 && (due[0] !== answer[0] || due.at(-1) !== answer.at(-1))) return false;
  return dues.length === answers.length && dues.every((one, i) => equalMembers(one, answers[i]));
}

function equalMembers(due: string, answer: string): boolean {
  if (isFraction(due) && isFraction(answer)) return due === answer;
  if (isInteger(due) !== isInteger(answer)) return false;
  return equalExpressions(due, answer);
}

/** A tuple's or interval's members; anything else is one member. */
function members(text: string): string[] {
  const expression = withoutThousandsCommas(text);
  if (expression === '') return [];
  const inside = expression.slice(1, -1);
  const tuple = /^[()[\]]/.test(expression) && /[()[\]]$/.test(expression) && expression.length > 2;
  return tuple && !/[()[\]]/.test(inside) ? inside.split(',') : [expression];
}

const units =
  'degree cm centimeter meter mile second minute hour day week month year foot feet inch yard'.split(' ');
const unitPatterns = units.map((unit) => new RegExp(`${unit}(?:es)?s? *(?:\\^[0-9]+)?`, 'g'));

function normalize(text: string): string {
  const unwrapped = /^\\text\{([^\n]+?)\}\n?$/.exec(text);
  let expression = (unwrapped === null ? text : unwrapped[1])
    .replaceAll('\\%', '%')
    .replaceAll('\\$', '$')
    .replaceAll('$', '')
    .replaceAll('%', '')
    .replaceAll(' or ', ' , ')
    .replaceAll(' and ', ' , ')
    .replaceAll('million', '*10^6')
    .replaceAll('billion', '*10^9')
    .replaceAll('trillion', '*10^12');
  for (const unit of unitPatterns) expression = expression.replace(unit, '');
  expression = expression.replace(/\^ *\\circ/g, '');
  if (expression.startsWith('{') && expression.endsWith('}')) expression = expression.slice(1, -1);
  expression = expression.replace(/,\\! */g, '');
  const number = pythonFloat(expression);
  if (isNearInteger(number)) expression = integerText(Math.round(number!));
  if (expression.includes('\\')) expression = latexToExpression(expression);
  expression = expression
    .replace(/- */g, '-')
    .replace(/([0-9]) +([0-9])/g, '$1+$2')
    .replace(/[ {}]/g, '')
    .toLowerCase();
  return isInteger(expression)
    ? integerText(Math.trunc(pythonFloat(expression.replaceAll(',', ''))!))
    : expression;
}

function isFraction(text: string): boolean {
  return /^-?[0-9]+[^\n]?\/0*[1-9][0-9]*[^\n]?\n?$/.test(text);
}

function isInteger(text: string): boolean {
  return isNearInteger(pythonFloat(withoutThousandsCommas(text)));
}

function isNearInteger(value: number | null): boolean {
  return value !== null && Number.isFinite(value) && Math.abs(value - Math.round(value)) <= 1e-7;
}

function integerText(value: number): string {
  return BigInt(value).toString();
}

function withoutThousandsCommas(text: string): string {
  let current = text;
  for (;;) {
    const next = current.replace(/(\p{Nd}),(\p{Nd}{3})($|\P{Nd})/gu, '$1$2$3');
    if (next === current) return current;
    current = next;
  }
}

const digits = '[0-9]+(?:_[0-9]+)*';
const floatPattern = new RegExp(
  `^[+-]?(?:${digits}(?:\\.(?:${digits})?)?|\\.${digits})(?:[eE][+-]?${digits})?$`,
);

/** What Python's float() reads: any decimal digits, single underscores between digits, white space around. */
function pythonFloat(text: string): number | null {
  const ascii = strip(text).replace(/\p{Nd}/gu, (digit) => String(digitValue(digit)));
  return floatPattern.test(ascii) ? Number(ascii.replaceAll('_', '')) : null;
}

/** Decimal digits stand in runs of ten from a zero in Unicode. */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0)!;
  if (code < 128) return code - 48;
  let zero = code;
  while (code - zero < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
  return (code - zero) % 10;
}
