/**
 * What a judge wrote, as a score. Strict, because a number picked out of a sentence may be anything: the whole text, or
 * all of one `<answer>` body, must be a decimal in [0, 1]. Everything else is a failure that says what was read.
 */
import { shortened } from '../data/one-line.ts';
import { failed, type JudgeScore } from './judge.ts';

export interface ParseOptions {
  /**
   * The judge thinks first: one `<think>…</think>` may open the text. The opening tag may be missing, since some chat
   * templates have it in the prompt.
   */
  thinks: boolean;
}

const DECIMAL = /^(?:0|1|0\.\d+|1\.0+)$/;

/** `score` is unrounded: 0.85 is 0.85. */
export function parseScore(text: string, { thinks }: ParseOptions): JudgeScore {
  const said = text.trim();
  const thought = thinks ? /^[\s\S]*?<\/think>([\s\S]*)$/.exec(said) : null;
  if (thinks && thought === null && said.startsWith('<think>'))
    return failed('the judge never came to the end of its thinking');
  const verdict = (thought?.[1] ?? said).trim();
  const body = /^<answer>([^<]*)<\/answer>$/.exec(verdict)?.[1].trim() ?? verdict;
  if (body === '') return failed('the judge said nothing');
  if (DECIMAL.test(body)) return { score: Number(body), failure: null };
  return failed(`not a score from 0 to 1: ${onOneLine(verdict)}`);
}

/** A text on one line, cut where it grows long. */
export function onOneLine(text: string): string {
  return JSON.stringify(shortened(text, 80));
}
