/**
 * Controlled corruptions of a response: one thing is made worse and the format stays. Responses to a world's questions
 * are corrupted statement by statement (worlds/seeing/corrupt.ts), so that the oracle can say how much worse they are;
 * all others as text.
 */
import { parseResponse, withParts } from '../../rewards/format.ts';
import { keyed, type Random } from '../../worlds/random.ts';
import { parseWorld, seeingCorruptions } from '../../worlds/seeing/index.ts';
import type { BenchRow } from './rows.ts';
import { stepsText, type TextStep, textSteps } from './steps.ts';

/** Another response, or null where this one cannot be changed in this way. */
type TextCorruption = (row: BenchRow, others: readonly BenchRow[], random: Random) => string | null;

export const CORRUPTIONS = {
  false_statement: 'a false statement is inserted',
  step_dropped: 'a step is left out',
  steps_shuffled: 'the steps stand in another order',
  repetition: 'a step is said twice more',
  answer_swapped: 'another answer of the same kind; the reasoning stays',
  padding: 'statements that lead nowhere make it longer',
} as const;
export type Corruption = keyof typeof CORRUPTIONS;

/** `others`: where statements and answers of other questions are taken from. The same key draws the same. */
export function corrupted(
  kind: Corruption,
  row: BenchRow,
  others: readonly BenchRow[],
  key: (string | number)[],
): string | null {
  const random = keyed('bench', kind, ...key);
  const { record, response } = row;
  const changed =
    record.world === undefined
      ? textCorruptions[kind](row, others, random)
      : seeingCorruptions[kind](parseWorld(record, record.source), response, random);
  return changed === response ? null : changed;
}

const FILLERS = [
  'Let me look at this carefully.',
  'It is important to be thorough here.',
  'I will now go on with the next part of the question.',
  'There are several things that one could consider at this point.',
  'Let me take a moment to think about what is being asked.',
  'With that in mind, I can continue.',
] as const;

const textCorruptions: Record<Corruption, TextCorruption> = {
  /** A step of its own with another number in it; where it has no numbers, a step from the answer to another question. */
  false_statement: onSteps((steps, { record }, others, random) => {
    const withNumber = steps.filter(({ text }) => NUMBER.test(text));
    const foreign = () =>
      others
        .filter((other) => other.record.problem !== record.problem)
        .flatMap(({ response }) => thinkSteps(response).map(({ text }) => text));
    const lies = withNumber.length > 0 ? [withOtherNumber(random.pick(withNumber).text, random)] : foreign();
    if (lies.length === 0) return null;
    const lie = random.pick(lies);
    return steps.toSpliced(random.below(steps.length) + 1, 0, { text: lie, gap: '' });
  }),
  step_dropped: onSteps((steps, _row, _others, random) => {
    if (steps.length < 2) return null;
    const dropped = random.below(steps.length);
    return steps.filter((_, i) => i !== dropped);
  }),
  steps_shuffled: onSteps((steps, _row, _others, random) =>
    random.permutation(steps.length).map((i) => steps[i]),
  ),
  repetition: onSteps((steps, _row, _others, random) => {
    const repeated = random.below(steps.length);
    return steps.flatMap((step, i) => (i === repeated ? [step, step, step] : [step]));
  }),
  answer_swapped({ record, response }, others, random) {
    const answer = parseResponse(response)?.answer.trim();
    if (answer === undefined) return null;
    const other = otherAnswer(answer, record.problem_type, record.options, others, random);
    return other === null ? null : withParts(response, { answer: other });
  },
  padding: onSteps((steps, _row, _others, random) => {
    const fillers = random.permutation(FILLERS.length).slice(0, 4);
    return fillers.reduce(
      (longer, filler) =>
        longer.toSpliced(random.below(longer.length + 1), 0, { text: FILLERS[filler], gap: '' }),
      steps,
    );
  }),
};

const NUMBER = /\d+(?:\.\d+)?/;

function withOtherNumber(text: string, random: Random): string {
  const numbers = [...text.matchAll(new RegExp(NUMBER, 'g'))];
  const { index, 0: number } = random.pick(numbers);
  return text.slice(0, index) + otherNumber(number, random) + text.slice(index + number.length);
}

/** With as many decimals. */
function otherNumber(number: string, random: Random): string {
  const decimals = number.split('.')[1]?.length ?? 0;
  return (Number(number) + 1 + random.below(9)).toFixed(decimals);
}

function otherAnswer(
  answer: string,
  type: BenchRow['record']['problem_type'],
  options: readonly string[],
  others: readonly BenchRow[],
  random: Random,
): string | null {
  if (type === 'numerical' && NUMBER.test(answer)) return withOtherNumber(answer, random);
  const letters = options.flatMap((option) => /^\s*\(?([A-Za-z])\b/.exec(option)?.[1] ?? []);
  const answers =
    type === 'multiple choice' && letters.length > 1
      ? letters
      : others
          .filter(({ record }) => record.problem_type === type)
          .flatMap(({ response }) => parseResponse(response)?.answer.trim() ?? []);
  const different = answers.filter((other) => other !== '' && other.toLowerCase() !== answer.toLowerCase());
  return different.length > 0 ? random.pick(different) : null;
}

function thinkSteps(response: string): TextStep[] {
  return textSteps(parseResponse(response)?.think ?? '');
}

/** A corruption of the list of steps, as one of responses. */
function onSteps(
  change: (
    steps: TextStep[],
    row: BenchRow,
    others: readonly BenchRow[],
    random: Random,
  ) => TextStep[] | null,
): TextCorruption {
  return (row, others, random) => {
    const steps = thinkSteps(row.response);
    if (steps.length === 0) return null;
    const before = stepsText(steps);
    for (let attempt = 0; attempt < 20; attempt++) {
      const changed = change(steps, row, others, random);
      if (changed === null) return null;
      const think = stepsText(changed);
      if (think !== before) return withParts(row.response, { think });
    }
    return null;
  };
}
