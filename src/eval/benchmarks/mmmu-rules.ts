/**
 * MMMU's rules from a response to right or wrong, without a language model.
 * Follows MMMU-Benchmark/MMMU, eval/eval_utils.py at commit 44b45b5 (golden rows made at bb0b95a, where it is
 * mmmu/utils/eval_utils.py). Where it finds no
 * option it draws one at random; we draw none: such a response is wrong, and counted.
 */
import { strip, words } from '../../rewards/whitespace.ts';
import { pyFloat, pyRound } from './python.ts';

/** The option a response names: the last of those in brackets, else of letters standing alone, else (of six words and more) by text. */
export function parseMultiChoice(
  response: string,
  letters: readonly string[],
  texts: Readonly<Record<string, string>>,
): string | null {
  const said = ` ${withoutPunctuation(response)} `;
  const lower = said.toLowerCase();
  const ways: { found: readonly string[]; place: (letter: string) => number }[] = [
    { found: letters, place: (letter) => said.lastIndexOf(`(${letter})`) },
    { found: letters, place: (letter) => said.lastIndexOf(` ${letter} `) },
    {
      found: words(said).length > 5 ? Object.keys(texts) : [],
      place: (letter) => lower.lastIndexOf(texts[letter].toLowerCase()),
    },
  ];
  for (const { found, place } of ways) {
    let last: string | null = null;
    let at = -1;
    for (const letter of found) {
      const found = place(letter);
      if (found > at) [last, at] = [letter, found];
    }
    if (last !== null) return last;
  }
  return null;
}

/** Stripped of each mark in turn, so that not every mixture of marks goes. */
function withoutPunctuation(text: string): string {
  let rest = text;
  for (const mark of [',', '.', '!', '?', ';', ':', "'"]) rest = stripped(rest, mark);
  return rest;
}

function stripped(text: string, mark: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text[start] === mark) start++;
  while (end > start && text[end - 1] === mark) end--;
  return text.slice(start, end);
}

/** An answer as it is compared: a number to two places, or a text in lower case. */
type Comparable = number | string;

/** What a response to an open question may mean by its answer. */
export function parseOpen(response: string): Comparable[] {
  const keys = keyParts(response);
  return [...keys, ...keys.flatMap(numbersIn)].flatMap(comparable);
}

const INDICATORS = ['could be ', 'so ', 'is ', 'thus ', 'therefore ', 'final ', 'answer ', 'result '];

/** Of each line the shortest tail behind a word that announces an answer; in the last line `=` announces one too. */
function keyParts(response: string): string[] {
  const whole = stripped(strip(response), '.').toLowerCase();
  const lines = whole.split('\n');
  const keys: string[] = [];
  lines.forEach((line, i) => {
    const indicators = i === lines.length - 1 ? [...INDICATORS, '='] : INDICATORS;
    let shortest: string | null = null;
    for (const indicator of indicators) {
      const at = line.lastIndexOf(indicator);
      if (at === -1) continue;
      const tail = strip(line.slice(at + indicator.length));
      if (shortest === null || shortest === '' || tail.length < shortest.length) shortest = tail;
    }
    if (shortest !== null && shortest !== '' && !TRIVIAL.has(shortest)) keys.push(shortest);
  });
  return keys.length === 0 ? [whole] : keys;
}

const TRIVIAL = new Set([':', ',', '.', '!', '?', ';', "'"]);

// Python's \b: between letters, digits of all scripts or _, and anything else; \d: digits of all scripts
const EDGE = '(?:(?<=[\\p{L}\\p{N}_])(?![\\p{L}\\p{N}_])|(?<![\\p{L}\\p{N}_])(?=[\\p{L}\\p{N}_]))';
const D = '\\p{Nd}';
// no search begins within a run of digits: it would end as the one from its beginning did, at the cost of time
const RUN = `(?<!${D})${D}+`;
const NUMBERS = [
  // 1,234
  new RegExp(`-?${EDGE}${D}{1,3}(?:,${D}{3})+${EDGE}`, 'gu'),
  // 1.2e3
  new RegExp(`-?${RUN}(?:\\.${D}+)?[eE][+-]?${D}+`, 'gu'),
  // 12, .5, 1.25
  new RegExp(`-?(?:${RUN}\\.${D}+|\\.${D}+|${RUN}${EDGE})(?![eE][+-]?${D}+)(?![,${D}])`, 'gu'),
];

function numbersIn(text: string): string[] {
  return NUMBERS.flatMap((pattern) => text.match(pattern) ?? []);
}

/** One letter stands for a word: it is looked for with a blank on either side. */
function comparable(text: string): Comparable[] {
  const plain = strip(text);
  const number = pyFloat(plain.replaceAll(',', ''));
  if (number !== null) return [pyRound(number, 2) ?? number];
  const lower = plain.toLowerCase();
  return [...lower].length === 1 ? [` ${lower}`, `${lower} `] : [lower];
}

/** Whether one of the truths is among the numbers of a response, or stands within one of its texts. */
export function isOpenHit(answers: readonly string[], said: readonly Comparable[]): boolean {
  const truths = answers.flatMap(comparable);
  return said.some((one) =>
    typeof one === 'number'
      ? truths.includes(one) && !Number.isNaN(one)
      : truths.some((truth) => typeof truth === 'string' && one.includes(truth)),
  );
}
