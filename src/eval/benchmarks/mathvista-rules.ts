/**
 * MathVista's rules from a response to right or wrong.
 * Follows lupantech/MathVista, evaluation/extract_answer.py (commit ed0d56d) and evaluation/calculate_score.py (e999481; golden
 * rows made at 53d5258) (`official`),
 * and open-compass/VLMEvalKit, vlmeval/dataset/utils/mathvista.py at commit e8e78f05 (`vlmevalkit`).
 *
 * The official pipeline leaves most responses to a language model. Where none was asked, a response that is nothing but an
 * answer (`B`, `(B) 8/11`, `$5.0$`) is its own extraction, and so is the text inside `<answer>`: that is what a model would
 * reply. Any other response without an extraction is undecided, and counts as wrong.
 */
import { distance } from 'fastest-levenshtein';
import { strip } from '../../rewards/whitespace.ts';
import { answerText } from './answer-text.ts';
import { inferChoice } from './choice-inference.ts';
import { pyFloat, pyFloatText, pyInt, pyRound, pyText, pyTruncate } from './python.ts';

/** What the rules need of a row. */
export interface MathVistaQuestion {
  question_type: 'multi_choice' | 'free_form';
  answer_type: 'text' | 'integer' | 'float' | 'list';
  choices: readonly string[] | null;
  precision: number | string | null;
  answer: string;
}

/**
 * The official rules on a response; null where they would ask a language model. `The answer is "…".` is their
 * `--quick_extract`.
 */
export function ruledExtraction(question: MathVistaQuestion, response: string): string | null {
  if (response === '') return '';
  if (question.question_type === 'multi_choice' && question.choices?.includes(response)) return response;
  if (question.answer_type === 'integer') {
    const whole = pyInt(response);
    if (whole !== null) return String(whole);
  }
  if (question.answer_type === 'float') {
    const number = pyFloat(response);
    if (number !== null) return pyFloatText(number);
  }
  return quickExtraction(response) ?? bareAnswer(question, response);
}

/** The official `--quick_extract`: `The answer is "(.*)"\.` of Python, by search, in time linear in the response. */
function quickExtraction(response: string): string | null {
  const opening = 'The answer is "';
  for (let from = response.indexOf(opening); from !== -1; ) {
    const end = response.indexOf('\n', from);
    const line = response.slice(from + opening.length, end === -1 ? undefined : end);
    const close = line.lastIndexOf('".');
    if (close !== -1) return line.slice(0, close);
    if (end === -1) return null;
    from = response.indexOf(opening, end);
  }
  return null;
}

/** The answer, where a response is nothing else: our rule, for responses without a language model behind them. */
function bareAnswer(question: MathVistaQuestion, response: string): string | null {
  const text = unwrapped(response);
  if (question.question_type === 'multi_choice') return bareOption(question.choices ?? [], text);
  if (question.answer_type === 'list') return /^\[[^[\]]*\]$/.test(text) ? text : null;
  return pyFloat(text) === null ? null : text;
}

/** `B`, `(b)`, `B.`, `(B) 8/11` or `8/11` as a letter. */
function bareOption(choices: readonly string[], text: string): string | null {
  const same = (a: string, b: string) => strip(a).toLowerCase() === strip(b).toLowerCase();
  const written = choices.findIndex((choice) => same(choice, text));
  if (written !== -1) return letter(written);
  const [, open, named, close, rest] = /^(\(?)([A-Za-z])([).:]*)(?:\s+(.*))?$/s.exec(text) ?? [];
  if (named === undefined) return null;
  const index = named.toUpperCase().charCodeAt(0) - A;
  if (index >= choices.length) return null;
  if (rest === undefined) return letter(index);
  return open + close !== '' && same(rest, choices[index]) ? letter(index) : null;
}

/** Without what is put around an answer for its looks: `$5$`, `**B**`, `\boxed{B}`, a last full stop. */
function unwrapped(response: string): string {
  let text = strip(response);
  for (const pattern of WRAPPINGS) text = strip(pattern.exec(text)?.[1] ?? text);
  return text;
}

const WRAPPINGS = [
  /^\*\*([^*]+)\*\*$/s,
  /^\$+([^$]+)\$+$/s,
  /^\\boxed\{([^{}]+)\}$/s,
  /^\\text\{([^{}]+)\}$/s,
  /^(.*[^.])\.$/s,
];

const A = 'A'.charCodeAt(0);
const letter = (index: number) => String.fromCharCode(A + index);

/** The official `normalize_extracted_answer`; null is Python's None. `extraction` may be anything that JSON holds. */
export function normalized(question: MathVistaQuestion, extraction: unknown): string | null {
  if (question.question_type === 'multi_choice') return chosen(question.choices ?? [], extraction);
  switch (question.answer_type) {
    case 'integer': {
      const number = asFloat(extraction);
      const whole = number === null ? null : pyTruncate(number);
      return whole === null ? null : String(whole);
    }
    case 'float': {
      const number = asFloat(extraction);
      const digits = asDigits(question.precision);
      if (number === null || digits === null) return null;
      const rounded = pyRound(number, digits);
      return rounded === null ? null : pyFloatText(rounded);
    }
    default:
      return pyText(extraction);
  }
}

/** A letter in brackets, else the whole text as a letter, else the choice that is nearest by edit distance. */
function chosen(choices: readonly string[], extraction: unknown): string {
  const text = typeof extraction === 'string' ? strip(extraction) : pyText(extraction);
  const wanted = /\(([a-zA-Z])\)/.exec(text)?.[1].toUpperCase() ?? text;
  const index = choices.findIndex((_, i) => letter(i) === wanted);
  return index === -1 ? nearest(wanted, choices) : choices[index];
}

function nearest(text: string, choices: readonly string[]): string {
  let best = choices[0];
  let least = Number.POSITIVE_INFINITY;
  for (const choice of choices) {
    const edits = codePointDistance(text, choice);
    if (edits < least) [best, least] = [choice, edits];
  }
  return best;
}

/** Edits of code points: the library counts UTF-16 units, so each code point beyond them gets a unit of its own. */
function codePointDistance(a: string, b: string): number {
  if (!/[\ud800-\udfff]/.test(a + b)) return distance(a, b);
  const units = new Map<string, string>();
  const unit = (char: string) => {
    const known = units.get(char) ?? String.fromCharCode(units.size + 1);
    units.set(char, known);
    return known;
  };
  return distance([...a].map(unit).join(''), [...b].map(unit).join(''));
}

/** float(extraction); null where Python raises. */
function asFloat(value: unknown): number | null {
  if (typeof value === 'string') return pyFloat(value);
  return typeof value === 'number' || typeof value === 'boolean' ? Number(value) : null;
}

/** int(precision); null where Python raises. */
function asDigits(precision: number | string | null): number | null {
  const digits = typeof precision === 'string' ? pyInt(precision) : pyTruncate(precision ?? Number.NaN);
  return digits === null ? null : Number(digits);
}

export interface Verdict {
  hit: boolean;
  /** What the school's code compares with the truth. */
  prediction: unknown;
  by: 'rules' | 'extractor' | 'none';
}

/** Without a language model: an `extraction` that is undefined has not been made, an empty one has. */
export function officialVerdict(
  question: MathVistaQuestion,
  response: string | number | null | undefined,
  extraction: unknown,
): Verdict {
  const judged = (found: unknown, by: Verdict['by']): Verdict => {
    const prediction = normalized(question, found);
    return { hit: prediction === question.answer, prediction, by };
  };
  if (extraction !== undefined) return judged(extraction, 'extractor');
  if (response === null) return NOTHING;
  const answer = answerText(response);
  const ruled = ruledExtraction(question, answer.text);
  if (ruled !== null) return judged(ruled, 'rules');
  const tagged = answer.tagged ? judged(answer.text, 'rules') : null;
  if (tagged !== null && tagged.prediction !== null) return tagged;
  return NOTHING;
}

const NOTHING: Verdict = { hit: false, prediction: null, by: 'none' };

/** VLMEvalKit's `post_check`, on what its judge replied or, where none was asked, on the answer's own text. */
export function vlmevalkitVerdict(
  question: MathVistaQuestion & { answer_option?: string | null },
  response: string | number | null | undefined,
  extraction: unknown,
): Verdict {
  const asked = extraction !== undefined;
  if (!asked && response === null) return NOTHING;
  const said = asked ? extraction : typeof response === 'number' ? response : answerText(response).text;
  const { prediction, truth } = compared(question, said);
  const hit = prediction !== null && prediction === truth;
  if (asked) return { hit, prediction: shown(prediction), by: 'extractor' };
  // its rules accept only what is right, or any option that can be told; all else goes to the judge
  const decided = question.question_type === 'multi_choice' ? prediction !== null : hit;
  return { hit, prediction: shown(prediction), by: decided ? 'rules' : 'none' };
}

function compared(
  question: MathVistaQuestion & { answer_option?: string | null },
  said: unknown,
): { prediction: string | bigint | number | null; truth: string | bigint | number | null } {
  if (question.question_type === 'multi_choice') {
    const choices = question.choices ?? [];
    const named = Object.fromEntries(choices.map((choice, i) => [letter(i), choice]));
    const truth = question.answer_option ?? letter(choices.indexOf(question.answer));
    return { prediction: inferChoice(pyText(said), named), truth };
  }
  const isText = typeof said === 'string';
  if (question.answer_type === 'integer') {
    const prediction = isText ? pyInt(said) : pyTruncate(asFloat(said) ?? Number.NaN);
    return { prediction, truth: pyInt(question.answer) };
  }
  if (question.answer_type === 'float') return { prediction: asFloat(said), truth: pyFloat(question.answer) };
  // its code compares the text of a variable that is still None: no list is ever right
  return { prediction: 'None', truth: question.answer };
}

/** As JSON holds it. */
function shown(prediction: string | bigint | number | null): unknown {
  return typeof prediction === 'bigint' ? String(prediction) : prediction;
}
