/** The outcome reward of a response, Ro: the rule of its problem type behind the format gate. arXiv 2505.17018. */
import { parseResponse, solutionAnswer } from './format.ts';
import { multipleChoiceReward } from './multiple-choice.ts';
import { numericalReward } from './numerical.ts';
import { ocrReward } from './ocr.ts';
import { referenceAnswer, referenceRewards, referenceTruth } from './reference.ts';
import { freeFormReward } from './rouge.ts';
import type { ProblemType, RewardVariant } from './types.ts';
import { strip, words } from './whitespace.ts';

export interface OutcomeInput {
  problemType: ProblemType;
  response: string;
  /** With or without `<answer>` tags. */
  solution: string;
  /** `paper` by default. */
  variant?: RewardVariant;
}

export interface OutcomeResult {
  /** 0…1. */
  reward: number;
  formatOk: boolean;
  /** The stripped answer; null where the format is broken. */
  answer: string | null;
  /** Whether the stripped answer is the solution's to the letter (white space aside for OCR and free-form): the measure of accuracy. */
  exact: boolean;
}

interface Rules {
  answer: (response: string) => string | null;
  truth: (solution: string) => string;
  reward: Record<ProblemType, (answer: string, truth: string) => number>;
}

const rules: Record<RewardVariant, Rules> = {
  paper: {
    answer: (response) => parseResponse(response)?.answer ?? null,
    truth: solutionAnswer,
    reward: {
      numerical: numericalReward,
      'multiple choice': multipleChoiceReward,
      OCR: ocrReward,
      'free-form': freeFormReward,
    },
  },
  reference: { answer: referenceAnswer, truth: referenceTruth, reward: referenceRewards },
};

const multiWord = (text: string) => words(text).join(' ');
const comparable: Record<ProblemType, (answer: string) => string> = {
  numerical: strip,
  'multiple choice': strip,
  OCR: multiWord,
  'free-form': multiWord,
};

/** An answer in the form in which `exact` compares it: equal ones are the same answer. */
export function comparableAnswer(problemType: ProblemType, answer: string): string {
  return comparable[problemType](answer);
}

/** Throws nothing, whatever the strings. */
export function outcomeReward(input: OutcomeInput): OutcomeResult {
  const rule = rules[input.variant ?? 'paper'];
  const answer = rule.answer(input.response);
  if (answer === null) return { reward: 0, formatOk: false, answer: null, exact: false };
  const truth = rule.truth(input.solution);
  return {
    reward: rule.reward[input.problemType](answer, truth),
    formatOk: true,
    answer: strip(answer),
    exact: comparableAnswer(input.problemType, answer) === comparableAnswer(input.problemType, truth),
  };
}
