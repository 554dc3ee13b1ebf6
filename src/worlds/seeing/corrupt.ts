/**
 * Sound responses made worse in one controlled way, statement by statement, and reasoning that is made up: what a judge
 * should notice. The oracle says how much worse each is, which need not be much: a listing in another order is as sound
 * as before.
 */
import { parseResponse, withParts } from '../../rewards/format.ts';
import { words } from '../../rewards/whitespace.ts';
import type { Random } from '../random.ts';
import { candidates, derive, drawLetters } from './rule.ts';
import { statementsOf } from './statements.ts';
import { listing } from './traces.ts';
import { CONTENTS, cellNames, DIGITS, OBJECTS, OPTION_LETTERS } from './vocabulary.ts';
import type { SeeingWorld } from './world.ts';

/** Null where a response cannot be corrupted in this way (a broken format, too few statements). */
export type SeeingCorruption = (world: SeeingWorld, response: string, random: Random) => string | null;

export const seeingCorruptions = {
  /** A cell that was not told of yet is told of wrongly, before the conclusion. */
  false_statement: onStatements((statements, world, random) => {
    const [told, untold] = [namesTold(statements, world), untoldCells(statements, world)];
    const cell = random.pick(untold.length > 0 ? untold : told);
    const held = contentOf(cell, world);
    const content = random.pick(CONTENTS.filter((other) => other !== held));
    return insertedBeforeConclusion(statements, [`${cell} ${content}`], random);
  }),
  step_dropped: onStatements((statements, _world, random) => {
    if (statements.length < 2) return null;
    const dropped = random.below(statements.length);
    return statements.filter((_, i) => i !== dropped);
  }),
  steps_shuffled: onStatements((statements, _world, random) =>
    random.permutation(statements.length).map((i) => statements[i]),
  ),
  /** One statement is said twice more. */
  repetition: onStatements((statements, _world, random) => {
    const repeated = random.below(statements.length);
    return statements.flatMap((text, i) => (i === repeated ? [text, text, text] : [text]));
  }),
  /** Another answer of the same kind; the reasoning stays. */
  answer_swapped(world, response, random) {
    const parts = parseResponse(response);
    if (parts === null) return null;
    const answer = words(parts.answer).join(' ');
    return withParts(response, { answer: otherAnswer(world, answer, random) });
  },
  /** Up to three true statements about cells that were not asked for; where none is known, `clearly`. */
  padding: onStatements((statements, world, random) => {
    const free = untoldCells(statements, world).filter(
      (cell) => !world.relevant.includes(cell) && contentOf(cell, world) !== null,
    );
    const chosen = random.permutation(free.length).slice(0, 3);
    const told = chosen.map((i) => `${free[i]} ${contentOf(free[i], world)}`);
    return insertedBeforeConclusion(statements, told.length > 0 ? told : Array(3).fill('clearly'), random);
  }),
} satisfies Record<string, SeeingCorruption>;

/**
 * The form of a sound listing, its contents made up so that the response's answer follows from them: what a policy
 * writes that has learnt how a good reasoning looks. Null where no contents give that answer.
 */
export function madeUpListing(world: SeeingWorld, response: string, random: Random): string | null {
  const parts = parseResponse(response);
  if (parts === null) return null;
  const answer = words(parts.answer).join(' ');
  for (let attempt = 0; attempt < 200; attempt++) {
    const contents = contentsFor(world, answer, random);
    if (contents !== null && derive(world.rule, contents) === answer)
      return withParts(response, { think: listing(world, contents, answer) });
  }
  return null;
}

/** A corruption of the list of statements, as one of responses; null where it changes nothing. */
function onStatements(
  change: (statements: string[], world: SeeingWorld, random: Random) => string[] | null,
): SeeingCorruption {
  return (world, response, random) => {
    const parts = parseResponse(response);
    if (parts === null) return null;
    const statements = statementsOf(words(parts.think), new Set(cellNames(world.n))).map(({ text }) => text);
    if (statements.length === 0) return null;
    for (let attempt = 0; attempt < 20; attempt++) {
      const changed = change(statements, world, random);
      if (changed === null) return null;
      if (changed.join(' ') !== statements.join(' '))
        return withParts(response, { think: changed.join(' ') });
    }
    return null;
  };
}

function insertedBeforeConclusion(statements: string[], more: string[], random: Random): string[] {
  const conclusion = statements.findIndex((text) => text.startsWith('so'));
  const at = random.below((conclusion < 0 ? statements.length : conclusion) + 1);
  return statements.toSpliced(at, 0, ...more);
}

function namesTold(statements: readonly string[], { n }: SeeingWorld): string[] {
  const told = new Set(statements.flatMap((text) => text.split(' ')));
  return cellNames(n).filter((name) => told.has(name));
}

function untoldCells(statements: readonly string[], world: SeeingWorld): string[] {
  const told = namesTold(statements, world);
  return cellNames(world.n).filter((name) => !told.includes(name));
}

/** Null where a text-only question does not say. */
const contentOf = (cell: string, { cells, n }: SeeingWorld) => cells[cellNames(n).indexOf(cell)];

function otherAnswer({ rule, n }: SeeingWorld, answer: string, random: Random): string {
  const kind = candidates(rule, n)?.filter((other) => other !== answer);
  if (kind !== undefined) return random.pick(kind);
  for (;;) {
    const word = drawLetters(Math.max(1, answer.split(' ').length), random).join(' ');
    if (word !== answer) return word;
  }
}

/** Contents of the relevant cells from which an answer may follow; null where none can. */
function contentsFor({ rule, relevant }: SeeingWorld, answer: string, random: Random): string[] | null {
  const places = random.permutation(relevant.length);
  switch (rule.kind) {
    case 'count': {
      const counted = new Set(places.slice(0, Number(answer)));
      const kinds = [true, false].map((fits) =>
        [...OBJECTS, 'empty'].filter((content) => content.split(' ').includes(rule.of) === fits),
      );
      return relevant.map((_, i) => random.pick(kinds[counted.has(i) ? 0 : 1]));
    }
    case 'sum':
      return relevant.map(() => random.pick(['empty', ...DIGITS]));
    case 'which': {
      const others = CONTENTS.filter((content) => content !== rule.content);
      return relevant.map((_, i) => (OPTION_LETTERS[i] === answer ? rule.content : random.pick(others)));
    }
    case 'read': {
      const letters = answer.split(' ');
      if (letters.length > relevant.length) return null;
      const written = places.slice(0, letters.length).sort((a, b) => a - b);
      return relevant.map((_, i) => (written.includes(i) ? letters[written.indexOf(i)] : 'empty'));
    }
    case 'neighbour':
      return [random.pick(CONTENTS), answer];
  }
}
