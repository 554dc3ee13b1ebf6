/** The oracle's reasons, one plain sentence a verdict, for readers of reports. */
import type { Rule } from './rule.ts';
import { ALL_CELL_NAMES, DIGITS, LETTERS, OBJECTS } from './vocabulary.ts';

export function holds(cell: string, content: string | null, listed: boolean): string {
  return `${cell} ${predicate(content)}, as the ${listed ? 'question says' : 'picture shows'}`;
}

export function wrongContent(cell: string, held: string | null, claimed: string): string {
  if (held === null) return `the question does not say what ${cell} holds`;
  return claimed === 'empty'
    ? `${cell} ${predicate(held)} and is not empty`
    : `${cell} ${predicate(held)}, not ${noun(claimed)}`;
}

export function wrongOption(option: string, cell: string, trueOption: string | null, rule: Rule): string {
  if (rule.kind !== 'which') return 'the question has no options';
  return trueOption === null
    ? `${cell} is none of the options`
    : `${cell} is option ${trueOption}, not ${option}`;
}

export function concludedBefore(conclusion: string): string {
  return `${conclusion} was concluded before`;
}

export function repeated(cell: string): string {
  return `${cell} was stated before`;
}

export function irrelevant(cell: string): string {
  return `true, but the answer does not rest on ${cell}`;
}

export function nothingSaidOf(cell: string): string {
  return `names ${cell} without saying what it holds`;
}

export function follows(cells: number, misread: readonly string[]): string {
  const from = `follows from the ${['no', 'one', 'two', 'three', 'four'][cells]} cells stated`;
  if (misread.length === 0) return from;
  return `${from}, though ${list(misread)} ${misread.length === 1 ? 'was' : 'were'} misread`;
}

export function neverStated(cells: readonly string[]): string {
  return `${list(cells)} ${cells.length === 1 ? 'was' : 'were'} never stated`;
}

export function doesNotFollow(concluded: string, following: string | null): string {
  return following === null
    ? 'no answer follows from the cells stated'
    : `from the cells stated follows ${following}, not ${quoteLong(concluded)}`;
}

export function nothingConcluded(): string {
  return 'concludes nothing';
}

export function hearsay(): string {
  return 'repeats the note, which is no evidence';
}

export function filler(text: string, n: number): string {
  const [first] = text.split(' ', 1);
  if (first === 'clearly') return 'asserts without saying why';
  if (ALL_CELL_NAMES.includes(first)) return `a ${n}×${n} grid has no cell ${first}`;
  return 'states nothing that could be checked';
}

export function consistent(): string {
  return 'is what the reasoning concluded';
}

export function inconsistent(answer: string, conclusion: string | null): string {
  if (conclusion === null) return 'the reasoning drew no conclusion';
  if (answer === '') return 'the answer is empty';
  return conclusion === ''
    ? 'the reasoning concluded nothing'
    : `the reasoning concluded ${quoteLong(conclusion)}`;
}

function predicate(content: string | null): string {
  return content === 'empty' ? 'is empty' : `holds ${noun(content ?? '')}`;
}

function noun(content: string): string {
  if (OBJECTS.includes(content)) return `a ${content}`;
  if (DIGITS.includes(content)) return `the digit ${content}`;
  if (LETTERS.includes(content)) return `the letter ${content}`;
  return content === 'empty' ? 'nothing' : `“${shortened(content)}”`;
}

/** An answer as it stands; anything long is no answer of this world and is cut. */
function quoteLong(text: string): string {
  return text.length <= LONGEST_ANSWER ? text : `“${shortened(text)}”`;
}

function shortened(text: string): string {
  return text.length <= LONGEST_QUOTE ? text : `${text.slice(0, LONGEST_QUOTE)}…`;
}

const LONGEST_ANSWER = 16;
const LONGEST_QUOTE = 40;

function list(names: readonly string[]): string {
  return names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
