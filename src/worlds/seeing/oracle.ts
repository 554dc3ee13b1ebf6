/**
 * The oracle: reads a response, judges every statement against what the picture holds and what was stated before, and
 * scores the reasoning by it. Being right counts nothing here: a right answer from a note scores as low as a wrong one.
 *
 *     score = clip((ok − ½ · false) / max(|relevant| + 2, statements), 0, 1)
 *
 * where the answer is the last statement and ok counts true, follows and consistent. Repeating, rambling and telling
 * of other cells make the denominator larger; a misread cell costs more than a cell left out. A conclusion is held
 * against what was *stated*, so that one misread cell is one mistake.
 */
import { parseResponse } from '../../rewards/format.ts';
import { words } from '../../rewards/whitespace.ts';
import * as why from './explain.ts';
import { derive } from './rule.ts';
import { type Statement, statementsOf } from './statements.ts';
import { cellNames, OPTION_LETTERS } from './vocabulary.ts';
import type { SeeingWorld } from './world.ts';

export const VERDICTS = [
  'true',
  'false',
  'repeated',
  'irrelevant',
  'follows',
  'unsupported',
  'hearsay',
  'filler',
  'consistent',
  'inconsistent',
] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Told by its words: a note makes it `shortcut`, else `clearly` `sloppy`, else a cell's name `listing`. */
export type ResponseStyle = 'listing' | 'shortcut' | 'sloppy' | 'other' | 'broken';

export interface JudgedStatement {
  text: string;
  verdict: Verdict;
  /** One plain sentence. */
  why: string;
}

export interface Judgement {
  /** The answer is word for word the true one. */
  right: boolean;
  /** 0 … 1: the soundness of the reasoning. */
  score: number;
  /** score ≥ ½ */
  sound: boolean;
  style: ResponseStyle;
  /** The think part's statements and the answer; empty where the format is broken. */
  statements: JudgedStatement[];
}

/** The reasoning of right answers below this score is called flawed. */
export const SOUND = 0.5;

/** What has been said so far. */
interface Said {
  /** Contents as first stated, by cell. */
  cells: Map<string, string>;
  conclusion: string | null;
  /** All conclusions so far: saying one again earns nothing. */
  concluded: Set<string>;
}

/** Judges a response, whatever it is; a broken format scores 0. */
export function oracle(world: SeeingWorld, response: string): Judgement {
  const parts = parseResponse(response);
  if (parts === null) return { right: false, score: 0, sound: false, style: 'broken', statements: [] };

  const names = new Set(cellNames(world.n));
  const think = words(parts.think);
  const answer = words(parts.answer).join(' ');
  const said: Said = { cells: new Map(), conclusion: null, concluded: new Set() };
  const statements = statementsOf(think, names).map((statement) => judge(statement, world, said));
  statements.push(judgeAnswer(answer, said));

  const score = scoreOf(statements, world.relevant.length);
  return {
    right: answer === world.answer,
    score,
    sound: score >= SOUND,
    style: styleOf(think, names),
    statements,
  };
}

function scoreOf(statements: readonly JudgedStatement[], relevant: number): number {
  const count = (...verdicts: Verdict[]) =>
    statements.filter(({ verdict }) => verdicts.includes(verdict)).length;
  const points = count('true', 'follows', 'consistent') - count('false') / 2;
  return Math.min(1, Math.max(0, points / Math.max(relevant + 2, statements.length)));
}

function styleOf(think: readonly string[], names: ReadonlySet<string>): ResponseStyle {
  if (think.includes('note')) return 'shortcut';
  if (think.includes('clearly')) return 'sloppy';
  return think.some((word) => names.has(word)) ? 'listing' : 'other';
}

function judge(statement: Statement, world: SeeingWorld, said: Said): JudgedStatement {
  const { text } = statement;
  switch (statement.kind) {
    case 'cell':
      return { text, ...judgeCell(statement, world, said) };
    case 'conclusion':
      return { text, ...judgeConclusion(statement.content, world, said) };
    case 'note':
      return { text, verdict: 'hearsay', why: why.hearsay() };
    case 'other':
      return { text, verdict: 'filler', why: why.filler(text, world.n) };
  }
}

type Judged = Omit<JudgedStatement, 'text'>;

function judgeCell(
  { option, cell, content }: Extract<Statement, { kind: 'cell' }>,
  world: SeeingWorld,
  said: Said,
): Judged {
  if (content === '') return { verdict: 'filler', why: why.nothingSaidOf(cell) };
  const held = world.cells[cellNames(world.n).indexOf(cell)];
  const before = said.cells.get(cell);
  if (before === undefined) said.cells.set(cell, content);

  const place = world.relevant.indexOf(cell);
  const trueOption = world.rule.kind === 'which' && place >= 0 ? OPTION_LETTERS[place] : null;
  if (option !== null && option !== trueOption)
    return { verdict: 'false', why: why.wrongOption(option, cell, trueOption, world.rule) };
  if (before !== undefined) return { verdict: 'repeated', why: why.repeated(cell) };
  if (content !== held) return { verdict: 'false', why: why.wrongContent(cell, held, content) };
  if (place < 0) return { verdict: 'irrelevant', why: why.irrelevant(cell) };
  return { verdict: 'true', why: why.holds(cell, held, world.listed.length > 0) };
}

function judgeConclusion(content: string, world: SeeingWorld, said: Said): Judged {
  const before = said.concluded.has(content);
  said.concluded.add(content);
  said.conclusion = content;
  if (content === '') return { verdict: 'unsupported', why: why.nothingConcluded() };
  if (before) return { verdict: 'repeated', why: why.concludedBefore(content) };
  const missing = world.relevant.filter((cell) => !said.cells.has(cell));
  if (missing.length > 0) return { verdict: 'unsupported', why: why.neverStated(missing) };
  const stated = world.relevant.map((cell) => said.cells.get(cell)!);
  const following = derive(world.rule, stated);
  if (following !== content) return { verdict: 'unsupported', why: why.doesNotFollow(content, following) };
  const names = cellNames(world.n);
  const misread = world.relevant.filter((cell, i) => stated[i] !== world.cells[names.indexOf(cell)]);
  return { verdict: 'follows', why: why.follows(world.relevant.length, misread) };
}

function judgeAnswer(answer: string, { conclusion }: Said): JudgedStatement {
  const text = `answer ${answer}`.trim();
  return answer === conclusion
    ? { text, verdict: 'consistent', why: why.consistent() }
    : { text, verdict: 'inconsistent', why: why.inconsistent(answer, conclusion) };
}
