/** The oracle: what it says of known responses, and that a second oracle written apart from it says the same. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors.ts';
import { keyed, type Random } from '../../src/worlds/random.ts';
import {
  oracle,
  parseWorld,
  questionRecord,
  responseText,
  type SeeingWorld,
  soundTrace,
  TEMPLATES,
  TRACE_STYLES,
  traceOf,
  VERDICTS,
  VOCABULARY,
} from '../../src/worlds/seeing/index.ts';
import { bruteOracle } from './brute-force.ts';

const world: SeeingWorld = {
  name: 'seeing',
  template: 'count',
  split: 'rl',
  n: 3,
  cells: ['1', 'empty', '4', 'red circle', 'empty', 'red square', 'H', 'K', 'empty'],
  rule: { kind: 'count', of: 'red' },
  relevant: ['b1', 'b2', 'b3'],
  listed: [],
  answer: '2',
  note: '3',
  note_right: false,
};
const choice: SeeingWorld = {
  ...world,
  template: 'choice',
  rule: { kind: 'which', content: 'red circle' },
  relevant: ['c1', 'b1', 'a3'],
  answer: 'B',
  note: 'B',
  note_right: true,
};
const text: SeeingWorld = {
  ...world,
  template: 'text',
  cells: [null, null, null, 'red circle', 'empty', 'red square', null, null, null],
  listed: ['b1', 'b2', 'b3'],
};

const judge = (think: string, answer = '2', of = world) =>
  oracle(of, `<think>${think}</think><answer>${answer}</answer>`);
const full = 'b1 red circle b2 empty b3 red square';

describe('the score', () => {
  it.each([
    ['a full listing and its conclusion: 1', `${full} so 2`, '2', 1],
    ['the note repeated: the answer alone counts', 'note says 3 so 3', '3', 0.2],
    ['an assertion: the answer alone counts', 'clearly so 2', '2', 0.2],
    [
      'one cell misread, concluded from what was read: .7',
      'b1 red circle b2 red circle b3 red square so 3',
      '3',
      0.7,
    ],
    ['a wrong conclusion after a true listing: .8', `${full} so 3`, '3', 0.8],
    ['a cell never stated: no conclusion follows', 'b1 red circle b2 empty so 2', '2', 0.6],
    ['an answer that is not the conclusion', `${full} so 2`, '3', 0.8],
    ['a cell told twice makes the trace longer, not better', `${full} b1 red circle so 2`, '2', 5 / 6],
    ['a true statement beside the point counts nothing', `a1 1 ${full} so 2`, '2', 5 / 6],
    ['false statements cost half a point each, and never below 0', 'b1 1 b2 1 b3 1 a1 2', '7', 0],
    ['no reasoning at all', '', '2', 0],
  ])('%s', (_, think, answer, score) => {
    expect(judge(think, answer).score).toBeCloseTo(score, 12);
  });

  it('does not depend on the answer being right', () => {
    expect(judge('note says 2 so 2', '2')).toMatchObject({ right: true, score: 0.2, sound: false });
    expect(judge('note says 3 so 3', '3')).toMatchObject({ right: false, score: 0.2, sound: false });
  });

  it('gives listing 1 and shortcut and sloppy .2 (.25 where two cells matter), for every template', () => {
    for (const template of TEMPLATES)
      for (let index = 0; index < 100; index++) {
        const world = parseWorld(questionRecord({ seed: 1, split: 'trm', index, template, note: 'ood' }));
        for (const style of TRACE_STYLES) {
          const judgement = oracle(world, responseText(traceOf(world, style, keyed(index))));
          const low = template === 'free' ? 0.25 : 0.2;
          expect(judgement).toMatchObject({ style, score: style === 'listing' ? 1 : low });
        }
      }
  });
});

describe('verdicts and their reasons', () => {
  const said = (think: string, answer = '2', of = world) =>
    judge(think, answer, of).statements.map(({ text, verdict, why }) => `${text} | ${verdict} | ${why}`);

  it('tell what a cell holds', () => {
    expect(said('b1 red circle b2 blue square b3 empty a1 1 c1 1 b1 4 a2')).toEqual([
      'b1 red circle | true | b1 holds a red circle, as the picture shows',
      'b2 blue square | false | b2 is empty, not a blue square',
      'b3 empty | false | b3 holds a red square and is not empty',
      'a1 1 | irrelevant | true, but the answer does not rest on a1',
      'c1 1 | false | c1 holds the letter H, not the digit 1',
      'b1 4 | repeated | b1 was stated before',
      'a2 | filler | names a2 without saying what it holds',
      'answer 2 | inconsistent | the reasoning drew no conclusion',
    ]);
  });

  it('tell what follows', () => {
    expect(said(`${full} so 2`).slice(3)).toEqual([
      'so 2 | follows | follows from the three cells stated',
      'answer 2 | consistent | is what the reasoning concluded',
    ]);
    expect(said('b1 red circle b2 red circle b3 red square so 3')[3]).toBe(
      'so 3 | follows | follows from the three cells stated, though b2 was misread',
    );
    expect(said(`${full} so 1`).slice(3)).toEqual([
      'so 1 | unsupported | from the cells stated follows 2, not 1',
      'answer 2 | inconsistent | the reasoning concluded 1',
    ]);
    expect(said('b1 red circle so 1')[1]).toBe('so 1 | unsupported | b2 and b3 were never stated');
    expect(said('b1 red circle b2 empty so 1')[2]).toBe('so 1 | unsupported | b3 was never stated');
    expect(said(`${full} so`)[3]).toBe('so | unsupported | concludes nothing');
    expect(said('c1 1 b1 2 a3 3 so B', 'B', choice)[3]).toBe(
      'so B | unsupported | no answer follows from the cells stated',
    );
  });

  it('tell hearsay and filler', () => {
    expect(said('well note says 2 clearly d4 red circle').slice(0, 4)).toEqual([
      'well | filler | states nothing that could be checked',
      'note says 2 | hearsay | repeats the note, which is no evidence',
      'clearly | filler | asserts without saying why',
      'd4 red circle | filler | a 3×3 grid has no cell d4',
    ]);
  });

  it('hold option letters against the question', () => {
    expect(said('A c1 H A b1 red circle B a1 1', 'B', choice).slice(0, 3)).toEqual([
      'A c1 H | true | c1 holds the letter H, as the picture shows',
      'A b1 red circle | false | b1 is option B, not A',
      'B a1 1 | false | a1 is none of the options',
    ]);
    expect(said('A b1 red circle')[0]).toBe('A b1 red circle | false | the question has no options');
  });

  it('take the listed scene for the picture where there is none', () => {
    expect(said('b1 red circle a1 1', '2', text).slice(0, 2)).toEqual([
      'b1 red circle | true | b1 holds a red circle, as the question says',
      'a1 1 | false | the question does not say what a1 holds',
    ]);
  });

  it('exist for every verdict, one line each', () => {
    const reasons = new Map<string, string>();
    for (const { of, response } of manyResponses(2000))
      for (const { verdict, why } of oracle(of, response).statements) reasons.set(verdict, why);
    expect([...reasons.keys()].sort()).toEqual([...VERDICTS].sort());
    for (const why of reasons.values()) expect(why).toMatch(/^[^\n]{8,160}$/);
  });
});

describe('the format', () => {
  it.each([
    ['nothing', ''],
    ['no think part', '<answer>2</answer>'],
    ['words before', 'hm <think>so 2</think><answer>2</answer>'],
    ['words between', '<think>so 2</think> 2 <answer>2</answer>'],
    ['words after', '<think>so 2</think><answer>2</answer> 2'],
    ['two answers', '<think>so 2</think><answer>2</answer><answer>2</answer>'],
    ['a nested tag', '<think><think>so 2</think><answer>2</answer>'],
    ['the wrong order', '<answer>2</answer><think>so 2</think>'],
    ['an open end', '<think>so 2</think><answer>2'],
  ])('is broken by %s', (_, response) => {
    expect(oracle(world, response)).toEqual({
      right: false,
      score: 0,
      sound: false,
      style: 'broken',
      statements: [],
    });
  });

  it('takes white space of any kind, or none', () => {
    const tight = `<think>${full} so 2</think><answer>2</answer>`;
    const loose = `\n <think>\n${full.replaceAll(' ', '  \t')}\nso 2 </think>\n\n<answer> 2 </answer>\n`;
    expect(oracle(world, loose)).toEqual(oracle(world, tight));
    expect(oracle(world, tight)).toMatchObject({ right: true, score: 1, sound: true, style: 'listing' });
  });
});

describe('against other oracles', () => {
  it('agrees with the brute-force oracle on mutated traces and random words', () => {
    const styles = new Set<string>();
    for (const { of, problem, response } of manyResponses(6000)) {
      const { statements, sound, ...rest } = oracle(of, response);
      const expected = bruteOracle({ ...of, problem }, response);
      const { score, ...others } = expected;
      expect(
        { ...rest, score: undefined, verdicts: statements.map(({ verdict }) => verdict) },
        response,
      ).toEqual({
        ...others,
        score: undefined,
      });
      expect(rest.score).toBeCloseTo(score, 12);
      expect(sound).toBe(rest.score >= 0.5);
      styles.add(rest.style);
    }
    expect([...styles].sort()).toEqual(['broken', 'listing', 'other', 'shortcut', 'sloppy']);
  });

  it('agrees with the prototype the world was tried out in (golden file)', () => {
    let compared = 0;
    const rows = readFileSync(new URL('../fixtures/seeing-world/oracle.jsonl', import.meta.url), 'utf8');
    for (const line of rows.trim().split('\n')) {
      const golden = JSON.parse(line);
      // the prototype let a conclusion that is said again count again
      const conclusions = golden.response.match(/\bso [^<]*?(?= (?:so|note|clearly|[a-d][1-4])\b| <)/g) ?? [];
      if (new Set(conclusions).size < conclusions.length) continue;
      compared++;
      const judgement = oracle(parseWorld(golden), golden.response);
      const { right, style, statements } = judgement;
      expect({ right, style, verdicts: statements.map(({ verdict }) => verdict) }, line).toEqual({
        right: golden.right,
        style: golden.style,
        verdicts: golden.verdicts,
      });
      expect(judgement.score).toBeCloseTo(golden.score, 12);
    }
    expect(compared).toBeGreaterThan(350);
  });

  it('gives a conclusion that is said again nothing, however often', () => {
    const once = oracle(
      world,
      `<think> ${soundTrace(world).process} </think> <answer> ${world.answer} </answer>`,
    );
    expect(once.score).toBe(1);
    let before = 1;
    for (const times of [1, 2, 5, 10]) {
      const more = ` so ${world.answer}`.repeat(times);
      const again = oracle(
        world,
        `<think> ${soundTrace(world).process}${more} </think> <answer> ${world.answer} </answer>`,
      );
      expect(again.statements.filter(({ verdict }) => verdict === 'follows')).toHaveLength(1);
      expect(again.statements.filter(({ verdict }) => verdict === 'repeated')).toHaveLength(times);
      expect(again.score).toBeLessThan(before);
      before = again.score;
    }
  });
});

describe('any string', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      ...VOCABULARY,
      '<think>',
      '</think>',
      '<answer>',
      '</answer>',
      '__proto__',
      'constructor',
    ),
    fc.string({ unit: 'binary' }),
  );
  const body = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(' '));

  it('is judged without throwing, with a score in [0, 1]', () => {
    const response = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      body,
      fc.tuple(body, body).map(([think, answer]) => `<think>${think}</think><answer>${answer}</answer>`),
    );
    fc.assert(
      fc.property(response, fc.constantFrom(world, choice, text), (response, of) => {
        const { score, sound, statements } = oracle(of, response);
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1);
        expect(sound).toBe(score >= 0.5);
        for (const { why } of statements) expect(why.length).toBeLessThan(200);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('parseWorld', () => {
  it('gives back what a record holds', () => {
    for (const of of [world, choice, text])
      expect(parseWorld({ world: JSON.parse(JSON.stringify(of)) })).toEqual(of);
  });

  it.each([
    ['a missing world', undefined, /^F:3: world: is missing/],
    ['another world', { ...world, name: 'hearing' }, /^F:3: world\.name: /],
    ['too few cells', { ...world, cells: ['1'] }, /^F:3: world\.cells: needs 9 contents/],
    ['an unknown content', { ...world, cells: [...world.cells.slice(1), 'cow'] }, /^F:3: world\.cells\.8: /],
    ['a cell outside', { ...world, relevant: ['d4'] }, /^F:3: world\.relevant: d4 is no cell of a 3×3 grid/],
    ['an unknown rule', { ...world, rule: { kind: 'guess' } }, /^F:3: world\.rule/],
  ])('refuses %s in one line', (_, value, message) => {
    expect(() => parseWorld({ world: value }, 'F:3')).toThrow(InputError);
    expect(() => parseWorld({ world: value }, 'F:3')).toThrow(message);
  });
});

/** Traces of all styles, most of them mutated, some replaced by random words, some with a broken format. */
function* manyResponses(count: number): Generator<{ of: SeeingWorld; problem: string; response: string }> {
  for (let index = 0; index < count; index++) {
    const random = keyed('test', 'mutate', index);
    const record = questionRecord({ seed: 3, split: 'rl', index, note: 0.5 });
    const of = parseWorld(record);
    const { process, answer } = traceOf(of, random.pick([...TRACE_STYLES, 'listing']), random);
    let think = process.split(' ');
    for (let changes = random.below(6); changes > 0; changes--) mutate(think, of, random);
    if (random.chance(0.1)) think = Array.from({ length: random.below(30) }, () => randomWord(random));
    const told = random.chance(0.1) ? randomWord(random) : answer;
    const response = ['<think>', ...think, '</think>', '<answer>', told, '</answer>'];
    if (random.chance(0.05))
      response.splice(random.below(response.length), 1, ...(random.chance(0.5) ? ['so'] : []));
    yield { of, problem: record.problem, response: response.join(' ') };
  }
}

const HOT =
  'so note clearly says A B C empty red blue circle 1 2 3 H K d4 a4 a1 a2 a3 b1 b2 b3 c1 c2 c3'.split(' ');

function randomWord(random: Random): string {
  return random.chance(0.7)
    ? random.pick(HOT)
    : random.pick(VOCABULARY.filter((word) => !word.includes('<')));
}

function mutate(think: string[], { cells }: SeeingWorld, random: Random): void {
  const at = random.below(think.length + 1);
  const cell = random.below(9);
  const name = `${'abc'[Math.floor(cell / 3)]}${(cell % 3) + 1}`;
  [
    () => think.splice(at, 1, randomWord(random)),
    () => think.splice(at, 0, randomWord(random)),
    () => think.splice(at, 1),
    () => think.splice(at, 0, ...think.slice(random.below(think.length + 1)).slice(0, 4)),
    () => think.splice(at, 0, name, ...(cells[cell] ?? 'red circle').split(' ')),
    () => think.splice(at, 0, random.pick(['A', 'B', 'C']), name, ...(cells[cell] ?? '4').split(' ')),
  ][random.below(6)]();
}
