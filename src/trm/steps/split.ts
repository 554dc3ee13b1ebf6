/**
 * A response cut into steps: pieces that make it up again, letter for letter. The answer, with the end of the thinking
 * before it, is the last step. `statements`: the statements of the seeing world. `text`: paragraphs, or else lines, or
 * else sentences; at most 12 steps, as in VisualPRM (arXiv 2503.10291, section 3).
 */
import { isBlank } from '../../rewards/whitespace.ts';
import { statementStarts } from '../../worlds/seeing/index.ts';
import type { Steps } from '../settings.ts';
import { sentenceStarts } from './sentences.ts';

/** Most steps of a response that is cut as text, the answer among them; neighbours are put together, evenly. */
export const MOST_STEPS = 12;

/** At least one piece; broken formats too are cut as far as they can be. */
export function splitSteps(response: string, split: Steps['split']): string[] {
  const { from, to } = thinkSpan(response);
  const think = response.slice(from, to);
  const answered = to < response.length;
  const starts = isBlank(think) ? [] : STARTS[split](think, answered ? MOST_STEPS - 1 : MOST_STEPS);
  // what stands before the first belongs to it
  const cuts = starts.slice(1).map((start) => cutBefore(response, from + start));
  if (answered && starts.length > 0) cuts.push(cutBefore(response, to));
  return pieces(response, cuts);
}

/** What a step says: without tags, and for the last one without the answer. */
export function stepThinking(steps: readonly string[]): string[] {
  const { from, to } = thinkSpan(steps.join(''));
  let at = 0;
  return steps.map((step) => {
    const start = at;
    at += step.length;
    return step.slice(Math.max(0, from - start), Math.max(0, to - start));
  });
}

/** Where the thinking stands in a response: after `<think>`, until `</think>`, or `<answer>` where that is missing. */
function thinkSpan(response: string): { from: number; to: number } {
  const ends = ['</think>', '<answer>'].map((tag) => response.indexOf(tag)).filter((at) => at !== -1);
  const to = ends[0] ?? response.length;
  const open = response.indexOf('<think>');
  const from = open === -1 || open >= to ? 0 : open + '<think>'.length;
  return { from, to };
}

/** Offsets in the thinking at which steps begin, the first among them; none may be empty of words. */
const STARTS: Record<Steps['split'], (think: string, most: number) => number[]> = {
  statements: statementStarts,
  text(think, most) {
    const paragraphs = startsAfter(think, /\n[^\S\n]*\n\s*/gu);
    const lines = paragraphs.length > 1 ? paragraphs : startsAfter(think, /\n\s*/gu);
    const starts = lines.length > 1 ? lines : sentenceStarts(think);
    return evenly(starts, most);
  },
};

/** 0 and the offsets after each separator that has something on either side. */
function startsAfter(text: string, separator: RegExp): number[] {
  const between = [...text.matchAll(separator)].filter(
    ({ index, 0: { length } }) => !isBlank(text.slice(0, index)) && index + length < text.length,
  );
  return [0, ...between.map(({ index, 0: { length } }) => index + length)];
}

/** At most so many of the starts, in steps of about equal size. */
function evenly(starts: number[], most: number): number[] {
  if (starts.length <= most) return starts;
  return Array.from({ length: most }, (_, i) => starts[Math.floor((i * starts.length) / most)]);
}

/** A line's end belongs to what it ends, blanks to what they precede: where tokenizers cut too. */
function cutBefore(text: string, start: number): number {
  let cut = start;
  while (cut > 0 && (text[cut - 1] === ' ' || text[cut - 1] === '\t')) cut--;
  return cut;
}

function pieces(text: string, cuts: readonly number[]): string[] {
  const bounds = [0, ...cuts, text.length];
  return bounds.slice(1).map((to, i) => text.slice(bounds[i], to));
}
