/**
 * Reasoning traces of three styles. Only `listing` looks at the cells and concludes from them; `shortcut` repeats the
 * note, `sloppy` asserts. Sloppy traces invent no cell contents: those would be noise for a model that is learning
 * to see.
 */
import type { Random } from '../random.ts';
import { candidates, drawLetters } from './rule.ts';
import { cellNames, OPTION_LETTERS } from './vocabulary.ts';
import type { SeeingWorld } from './world.ts';

export const TRACE_STYLES = ['listing', 'shortcut', 'sloppy'] as const;
export type TraceStyle = (typeof TRACE_STYLES)[number];

export interface Trace {
  /** The text between `<think>` and `</think>`. */
  process: string;
  answer: string;
}

/** How often a sloppy trace is right on purpose; otherwise it guesses (and may be right by chance). */
export const SLOPPY_RIGHT = 0.3;

/** A trace of a style; only `sloppy` draws from `random`. */
export function traceOf(world: SeeingWorld, style: TraceStyle, random: Random): Trace {
  switch (style) {
    case 'listing':
      return soundTrace(world);
    case 'shortcut':
      return { process: `note says ${world.note} so ${world.note}`, answer: world.note };
    case 'sloppy': {
      const answer = random.chance(SLOPPY_RIGHT) ? world.answer : guess(world, random);
      return { process: `clearly so ${answer}`, answer };
    }
  }
}

/** States every relevant cell and concludes: `b1 red circle b2 empty b3 red square so 2`. */
export function soundTrace(world: SeeingWorld): Trace {
  const names = cellNames(world.n);
  const contents = world.relevant.map((name) => world.cells[names.indexOf(name)]);
  return { process: listing(world, contents, world.answer), answer: world.answer };
}

/** The process of such a trace, whatever the relevant cells are said to hold. */
export function listing(
  { relevant, rule }: SeeingWorld,
  contents: readonly (string | null)[],
  answer: string,
): string {
  const statements = relevant.map((name, option) => {
    const statement = `${name} ${contents[option]}`;
    return rule.kind === 'which' ? `${OPTION_LETTERS[option]} ${statement}` : statement;
  });
  return `${statements.join(' ')} so ${answer}`;
}

/** The response a trace makes, in the paper's form. */
export function responseText({ process, answer }: Trace): string {
  return `<think> ${process} </think> <answer> ${answer} </answer>`;
}

function guess(world: SeeingWorld, random: Random): string {
  const kind = candidates(world.rule, world.n);
  return kind === null ? drawLetters(world.answer.split(' ').length, random).join(' ') : random.pick(kind);
}
