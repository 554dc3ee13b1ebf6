/**
 * Which option of a multiple-choice question a response means, by rules: VLMEvalKit's choice inference (can_infer of
 * vlmeval/utils/matching_util.py in open-compass/VLMEvalKit, commit e8e78f05). First a letter that stands alone, as the only
 * one of the options' letters; then what follows `answer is`; then an option whose text the response holds, as the only one.
 * Nothing is drawn at random.
 */
import { space, words } from '../../rewards/whitespace.ts';
import type { Row } from './benchmark.ts';
import { isMissing, text } from './cells.ts';
import { pyLength } from './python.ts';

/** Options by their letters, in order. */
export type Choices = Readonly<Record<string, string>>;

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
const apiFailure = 'Failed to obtain answer via API';
/** A response with one of these is taken for a refusal: option Z, which is none. */
const refusals = [
  "Sorry, I can't help with images of people yet.",
  "I can't process this file.",
  "I'm sorry, but without the image provided",
  'Cannot determine the answer',
];
const separators = /[.()[\],:;!*#{}]/g;
/** A letter counts among the last words only: `A` at the head of a long text is an article. */
const lastWords = 5;
/** As in the original, no word needs to end behind the letter: `answer is blue` states B. */
const statement = new RegExp(`answer${space}+is${space}+\\**([A-D])`, 'iu');

/** A letter of the options; `Z` for a refusal; null where the rules tell nothing. */
export function inferChoice(response: string, options: Choices): string | null {
  return byLetter(response, options) ?? byText(response, options);
}

function byLetter(response: string, options: Choices): string | null {
  if (response.includes(apiFailure)) return null;
  if (refusals.some((refusal) => response.includes(refusal))) return 'Z';
  const spoken = words(response.replace(separators, ' '));
  const named = Object.keys(options).filter((letter) => spoken.includes(letter));
  if (named.length === 1 && spoken.indexOf(named[0]) > spoken.length - lastWords) return named[0];
  if (named.length === 0 && spoken.includes('Z')) return 'Z';
  const stated = statement.exec(response)?.[1].toUpperCase();
  return stated !== undefined && Object.hasOwn(options, stated) ? stated : null;
}

function byText(response: string, options: Choices): string | null {
  const spoken = response.toLowerCase();
  const room = Object.values(options).reduce((sum, option) => sum + pyLength(option), 0);
  if (pyLength(spoken) > 2 * room) return null;
  const held = Object.keys(options).filter((letter) => spoken.includes(options[letter].toLowerCase()));
  return held.length === 1 ? held[0] : null;
}

/** The options in a row's columns A, B, C … that hold something. */
export function optionsOf(row: Row): Choices {
  return Object.fromEntries(
    letters.filter((letter) => !isMissing(row[letter])).map((letter) => [letter, text(row[letter])]),
  );
}
