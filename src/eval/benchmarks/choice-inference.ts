/**
 * Which option a response names, by rule: a letter standing alone, else the one option whose text it holds.
 * Follows `can_infer` of VLMEvalKit, open-compass/VLMEvalKit vlmeval/utils/matching_util.py at commit e8e78f05.
 * It wants the answer, not the whole reasoning: letters that come early in a long text do not count.
 */
import { words } from '../../rewards/whitespace.ts';
import { pyLength } from './python.ts';

/** Options by their letters, in order. */
export type Choices = Readonly<Record<string, string>>;

/** A letter of `choices`, `Z` for a refusal, or null: nothing can be inferred. */
export function inferChoice(answer: string, choices: Choices): string | null {
  const option = inferLetter(answer, choices);
  return option ?? inferText(answer, choices);
}

function inferLetter(answer: string, choices: Choices): string | null {
  if (answer.includes(API_FAILURE)) return null;
  if (REFUSALS.some((refusal) => answer.includes(refusal))) return 'Z';
  const said = words(answer.replace(/[.()[\],:;!*#{}]/g, ' '));
  const standing = new Set(said);
  const named = Object.keys(choices).filter((letter) => standing.has(letter));
  if (named.length === 1) return said.indexOf(named[0]) > said.length - 5 ? named[0] : null;
  return named.length === 0 && standing.has('Z') ? 'Z' : null;
}

function inferText(answer: string, choices: Choices): string | null {
  const said = answer.toLowerCase();
  const options = Object.entries(choices);
  const length = options.reduce((sum, [, text]) => sum + pyLength(text), 0);
  if (pyLength(said) > 2 * length) return null;
  const held = options.filter(([, text]) => said.includes(text.toLowerCase()));
  return held.length === 1 ? held[0][0] : null;
}

const API_FAILURE = 'Failed to obtain answer via API';
const REFUSALS = [
  "Sorry, I can't help with images of people yet.",
  "I can't process this file.",
  "I'm sorry, but without the image provided",
  'Cannot determine the answer',
];
