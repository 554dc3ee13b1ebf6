/**
 * What MMStar and MMBench have in common: rows with options A, B, C …, the question as VLMEvalKit puts it
 * (ImageMCQDataset.build_prompt, vlmeval/dataset/image_mcq.py of open-compass/VLMEvalKit, commit e8e78f05), and the language
 * model that its pipeline asks which option a response means (extract_answer_from_item, utils/multiple_choice.py).
 */
import type { ModelStep, Row } from './benchmark.ts';
import { isMissing, text } from './cells.ts';
import { type Choices, inferChoice, optionsOf } from './choice-inference.ts';
import { fillTemplate } from './fill-template.ts';
import { type DecidedBy, decidedBy, isUnsaid, scoredText } from './scored-text.ts';

/**
 * A row's options: its columns, or else what its question ends with (`Options: A: …, B: …` as MMStar's repository on the hub
 * has it); letters without texts where that cannot be told.
 */
export function choicesOf(row: Row): Choices {
  const columns = optionsOf(row);
  if (Object.keys(columns).length > 0) return columns;
  const asked = optionsInQuestion(text(row.question ?? ''));
  return Object.keys(asked).length > 1 ? asked : { A: '', B: '', C: '', D: '' };
}

/** Options A, B, C … in their order behind the last `Options:` or `Choices:`; empty where there are none. */
export function optionsInQuestion(question: string): Choices {
  const head = [...question.matchAll(/(?:options|choices)\s*:/gi)].at(-1);
  if (!head) return {};
  const tail = question.slice(head.index + head[0].length);
  const marks: { letter: string; from: number; to: number }[] = [];
  for (const mark of tail.matchAll(/(^|,|\n)\s*\(?([A-Z])[:.)]\s?/g)) {
    if (mark[2].charCodeAt(0) !== 65 + marks.length) continue;
    marks.push({ letter: mark[2], from: mark.index, to: mark.index + mark[0].length });
  }
  return Object.fromEntries(
    marks.map(({ letter, to }, i) => [letter, tail.slice(to, marks[i + 1]?.from).trim()]),
  );
}

export interface Choice {
  /** The row alone; MMBench's `hit` is its question's. */
  right: boolean;
  /** A letter, Z for a refusal, null where nothing decides. */
  extracted: string | null;
  decided_by: DecidedBy;
}

/** Which option a row's response means, and whether it is the right one. Where nothing decides it is wrong. */
export function choose(row: Row): Choice {
  const extracted = isUnsaid(row) ? null : inferChoice(scoredText(row), choicesOf(row));
  return {
    right: extracted === text(row.answer),
    extracted,
    decided_by: decidedBy(row, extracted !== null),
  };
}

/** The question as VLMEvalKit puts it; one that holds its options already is not given them twice. */
export function choiceText(row: Row): string {
  const hint = isMissing(row.hint) ? '' : `Hint: ${text(row.hint)}\n`;
  const options = Object.entries(optionsOf(row)).map(([letter, option]) => `${letter}. ${option}\n`);
  const list = options.length > 0 ? `Options:\n${options.join('')}` : '';
  return `${hint}Question: ${text(row.question)}\n${list}Please select the correct answer from the options above. \n`;
}

export const matchOption: ModelStep = {
  name: 'extract',
  template: `A model was asked a single-choice question and did not name an option clearly. Find the option that means the same as its reply, without answering the question yourself.

Question: {question}
Options:
{options}
Reply: {response}

Write that option's capital letter and nothing else; write Z where the reply refuses to answer or means none of the options.`,
  prompt(row, template) {
    const choices = choicesOf(row);
    const response = scoredText(row);
    if (isUnsaid(row) || typeof row.extraction === 'string' || inferChoice(response, choices) !== null)
      return null;
    const options = Object.entries(choices).map(([letter, option]) => `${letter}. ${option}`.trim());
    return fillTemplate(template, {
      question: text(row.question ?? ''),
      options: options.join('\n'),
      response,
    });
  },
  read(row, reply) {
    const extraction = inferChoice(reply, choicesOf(row));
    return extraction === null ? null : { ...row, extraction };
  },
};
