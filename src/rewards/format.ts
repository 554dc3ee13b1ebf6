/**
 * The format gate: `<think>…</think>` then `<answer>…</answer>`, each exactly once, white space around and
 * between allowed and nothing else. A response that does not pass earns 0. Case and spelling of the tags matter.
 * Source: arXiv 2505.17018. The published code is laxer: see reference.ts.
 */
import { isBlank } from './whitespace.ts';

const tags = ['<think>', '</think>', '<answer>', '</answer>'];

export interface Parts {
  think: string;
  answer: string;
}

/** The two bodies, unstripped; null where the gate is shut. */
export function parseResponse(response: string): Parts | null {
  const at = tags.map((tag) => response.indexOf(tag));
  const once = tags.every((tag, i) => at[i] !== -1 && response.indexOf(tag, at[i] + 1) === -1);
  if (!once || !(at[0] < at[1] && at[1] < at[2] && at[2] < at[3])) return null;
  const [think, thinkEnd, answer, answerEnd] = at.map((start, i) => start + tags[i].length);
  const outside = [response.slice(0, at[0]), response.slice(thinkEnd, at[2]), response.slice(answerEnd)];
  if (!outside.every(isBlank)) return null;
  return { think: response.slice(think, at[1]), answer: response.slice(answer, at[3]) };
}

/** The response with other bodies, white space at the ends of each kept as it was; null where the gate is shut. */
export function withParts(response: string, bodies: Partial<Parts>): string | null {
  const parts = parseResponse(response);
  if (parts === null) return null;
  const thinkAt = response.indexOf(tags[0]) + tags[0].length;
  const answerAt = response.indexOf(tags[2]) + tags[2].length;
  const between = response.slice(thinkAt + parts.think.length, answerAt);
  return [
    response.slice(0, thinkAt),
    refilled(parts.think, bodies.think),
    between,
    refilled(parts.answer, bodies.answer),
    response.slice(answerAt + parts.answer.length),
  ].join('');
}

function refilled(body: string, content: string | undefined): string {
  if (content === undefined) return body;
  const before = body.length - body.trimStart().length;
  return isBlank(body) ? content : `${body.slice(0, before)}${content}${body.slice(body.trimEnd().length)}`;
}

/** The text inside the first `<answer>…</answer>`; null where there is none. */
export function firstAnswer(text: string): string | null {
  const open = text.indexOf('<answer>');
  const start = open + '<answer>'.length;
  const end = text.indexOf('</answer>', start);
  return open === -1 || end === -1 ? null : text.slice(start, end);
}

/** The true answer: a record's `solution` with or without its `<answer>` tags. */
export function solutionAnswer(solution: string): string {
  return firstAnswer(solution) ?? solution;
}
