/**
 * Outcome rewards as the published training code computes them (kxfan2002/SophiaVL-R1,
 * verl/utils/reward_score/math.py and verl/workers/reward/custom.py): for reproducing its runs. It differs from
 * the paper: a laxer format gate; the first `<answer>` anywhere counts; dollar signs are removed; numerical
 * answers go through mathruler (50% = 50); multiple choice is a substring test that an empty answer passes on
 * one-letter truths; OCR is exp(−WER) with jiwer's words.
 */
import { firstAnswer } from './format.ts';
import { gradeAnswer } from './mathruler/grade.ts';
import { editDistance } from './ocr.ts';
import { freeFormReward } from './rouge.ts';
import type { ProblemType } from './types.ts';
import { joinRuns, strip } from './whitespace.ts';

/** Null where the published format test fails. Bodies as that code sees them: without dollar signs. */
export function referenceAnswer(response: string): string | null {
  const text = withoutDollars(response);
  if (!text.startsWith('<think>')) return null;
  const thought = text.indexOf('</think>');
  const open = thought === -1 ? -1 : text.indexOf('<answer>', thought);
  const close = open === -1 ? -1 : text.indexOf('</answer>', open);
  return close === -1 ? null : firstAnswer(text);
}

/** The published code's side of the true answer. */
export function referenceTruth(solution: string): string {
  return withoutDollars(firstAnswer(solution) ?? solution);
}

export const referenceRewards: Record<ProblemType, (answer: string, truth: string) => number> = {
  numerical: (answer, truth) => (gradeAnswer(answer, truth) ? 1 : 0),
  'multiple choice': substringChoice,
  OCR: (answer, truth) => Math.exp(-jiwerWer(answer, truth)),
  'free-form': freeFormReward,
};

/** As many comma-separated members as the truth has characters, each somewhere in the truth. */
function substringChoice(answer: string, truth: string): number {
  const members = answer.split(',').map(strip);
  const fits = members.length === [...truth].length && members.every((member) => truth.includes(member));
  return fits ? 1 : 0;
}

/** jiwer 4's default: blanks part words, other single white space does not; an empty truth counts insertions. */
function jiwerWer(answer: string, truth: string): number {
  const [said, due] = [answer, truth].map((text) =>
    strip(joinRuns(strip(text)))
      .split(' ')
      .filter((word) => word !== ''),
  );
  return due.length === 0 ? said.length : editDistance(said, due) / due.length;
}

function withoutDollars(text: string): string {
  return text.replaceAll('$', '');
}
