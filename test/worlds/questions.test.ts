/** Questions: answers, determinism, splits that share nothing, notes by their law, pictures that show the scene. */
import { describe, expect, it } from 'vitest';
import { wordLevelTokenizer } from '../../src/data/chat/word-tokenizer.ts';
import { pictureHash } from '../../src/data/pictures/images.ts';
import { parseRecord } from '../../src/data/records/record.ts';
import {
  captionRow,
  contentOf,
  listingRow,
  lookupRow,
  MARKERS,
  mixedRow,
  oracle,
  parseWorld,
  question,
  questionRecord,
  type RgbPicture,
  type SeeingQuestion,
  type SeeingRecord,
  type Split,
  TEMPLATES,
  trmRow,
  VOCABULARY,
  WORDS,
} from '../../src/worlds/seeing/index.ts';
import { relevantCells, solve } from './brute-force.ts';
import { readPicture, readTicks } from './read-picture.ts';

const CELLS = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'c1', 'c2', 'c3'];
const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const answerOf = ({ solution }: { solution: string }) => /^<answer>(.+)<\/answer>$/.exec(solution)![1];
const hash = (picture: RgbPicture | null) =>
  picture && pictureHash(picture.width, picture.height, picture.rgb);
const withoutNote = ({ problem }: { problem: string }) => problem.replace(/ note says .*$/, '');

describe('a question', () => {
  it('has the answer that its picture (or its listed scene) and its words give', () => {
    for (const index of range(600)) {
      const { record, picture } = question({ seed: 5, split: 'train', index });
      const world = parseWorld(record);
      expect(world.relevant).toEqual(relevantCells(record.problem));
      const told: Record<string, string> = {};
      if (picture !== null)
        readPicture(picture.rgb, 3).forEach((content, cell) => {
          told[CELLS[cell]] = content;
        });
      else
        for (const [, cell, content] of record.problem.matchAll(
          /\b([abc]\d) (empty|\d|\w+ \w+)(?= [abc]\d| \.)/g,
        ))
          told[cell] = content;
      expect(answerOf(record)).toBe(solve(withoutNote(record), (cell) => told[cell], world.relevant));
      expect(world.answer).toBe(answerOf(record));
      for (const [cell, content] of Object.entries(told))
        expect(world.cells[CELLS.indexOf(cell)]).toBe(content);
    }
  });

  it('is a record of the published schema, with a sound trace as its process', () => {
    const types: Record<string, Set<string>> = {};
    for (const index of range(300)) {
      const record = questionRecord({ seed: 0, split: 'train', index });
      const { path, ...parsed } = parseRecord(record, 'record');
      expect({ ...parsed, path: path ?? '' }).toEqual(record);
      const response = `<think>${record.process}</think><answer>${answerOf(record)}</answer>`;
      expect(oracle(parseWorld(record), response)).toMatchObject({ right: true, score: 1, style: 'listing' });
      const { template, note } = parseWorld(record);
      expect(record.problem.endsWith(` note says ${note}`)).toBe(true);
      types[template] = (types[template] ?? new Set()).add(`${record.problem_type}, ${record.data_type}`);
    }
    expect(Object.fromEntries(Object.entries(types).map(([template, set]) => [template, [...set]]))).toEqual({
      count: ['numerical, image'],
      sum: ['numerical, image'],
      choice: ['multiple choice, image'],
      ocr: ['OCR, image'],
      free: ['free-form, image'],
      text: ['numerical, text'],
    });
  });

  it('states its options in the problem too', () => {
    const record = questionRecord({ seed: 0, split: 'train', index: 0, template: 'choice' });
    expect(record.options).toHaveLength(3);
    expect(record.problem).toContain(`? ${record.options.join(' ')} note says`);
    expect(record.options.map((option) => option[0])).toEqual(['A', 'B', 'C']);
  });

  it('is a pure function of seed, split and index, in any order of asking', () => {
    const ask = (index: number, seed = 7, split: Split = 'rl') => question({ seed, split, index });
    const forwards = range(20).map((index) => ask(index));
    const backwards = range(20)
      .reverse()
      .map((index) => ask(index));
    const plain = ({ record, picture }: SeeingQuestion) => ({ record, picture: hash(picture) });
    expect(backwards.reverse().map(plain)).toEqual(forwards.map(plain));
    expect(ask(3, 8).record.problem).not.toBe(ask(3).record.problem);
    expect(ask(3, 7, 'trm').record.problem).not.toBe(ask(3).record.problem);
  });

  it('asks the six templates equally often: in turn in the tests, by lot elsewhere', () => {
    const templates = (split: Split, count: number) =>
      range(count).map((index) => contentOf({ seed: 0, split, index }).template);
    expect(templates('test-id', 12)).toEqual([...TEMPLATES, ...TEMPLATES]);
    const drawn = templates('train', 3000);
    for (const template of TEMPLATES) {
      const share = drawn.filter((other) => other === template).length / 3000;
      expect(Math.abs(share - 1 / 6)).toBeLessThan(0.03);
    }
  });

  it.each([2, 4])('works on a %i×%i grid', (n) => {
    for (const index of range(120)) {
      const { record, picture } = question({ seed: 0, split: 'test-id', index, n });
      const world = parseWorld(record);
      expect(
        oracle(world, `<think>${record.process}</think><answer>${answerOf(record)}</answer>`).score,
      ).toBe(1);
      if (picture === null) continue;
      expect(picture).toMatchObject({ width: 28 * n, height: 28 * n });
      expect(readPicture(picture.rgb, n)).toEqual(world.cells);
    }
  });
});

describe('splits', () => {
  const content = (record: SeeingRecord) =>
    record.data_type === 'text' ? withoutNote(record) : `${parseWorld(record).cells} ${withoutNote(record)}`;
  const contents = (split: Split, seed: number, count: number) =>
    range(count).map((index) => content(questionRecord({ seed, split, index })));

  it('never share a question about a scene between tests and training, across seeds too', () => {
    const tests = new Set([0, 1, 2].flatMap((seed) => contents('test-id', seed, 900)));
    for (const split of ['train', 'cold-start', 'trm', 'rl'] as const)
      for (const seed of [0, 1, 2])
        for (const trained of contents(split, seed, 900)) expect(tests.has(trained)).toBe(false);
  });

  it('hold for text-only sums too, few as they are', () => {
    const sums = (split: Split) =>
      range(4000)
        .map((index) => withoutNote(questionRecord({ seed: 0, split, index, template: 'text' })))
        .filter((problem) => problem.includes('sum'));
    const tests = new Set(sums('test-id'));
    const trained = new Set(sums('train'));
    expect(tests.size).toBeGreaterThan(50);
    expect(trained.size).toBeGreaterThan(250);
    expect([...tests].filter((problem) => trained.has(problem))).toEqual([]);
  });

  it('pair the two tests: the same questions and pictures, other notes', () => {
    let differing = 0;
    for (const index of range(240)) {
      const id = question({ seed: 4, split: 'test-id', index });
      const ood = question({ seed: 4, split: 'test-ood', index });
      expect(withoutNote(ood.record)).toBe(withoutNote(id.record));
      expect(ood.record.solution).toBe(id.record.solution);
      expect(ood.record.path).toBe(id.record.path);
      expect(hash(ood.picture)).toBe(hash(id.picture));
      differing += Number(ood.record.problem !== id.record.problem);
    }
    expect(differing).toBeGreaterThan(120);
  });
});

describe('notes', () => {
  const rightShare = (count: number, row: (index: number) => SeeingRecord) =>
    range(count).filter((index) => parseWorld(row(index)).note_right).length / count;
  const ask = (split: Split, template: (typeof TEMPLATES)[number], note?: number) => (index: number) =>
    questionRecord({ seed: 2, split, index, template, note });

  it('are right nine times of ten in distribution, in every template', () => {
    for (const template of TEMPLATES) {
      expect(Math.abs(rightShare(1500, ask('rl', template)) - 0.9)).toBeLessThan(0.03);
      expect(rightShare(50, ask('rl', template, 1))).toBe(1);
      expect(rightShare(50, ask('rl', template, 0))).toBe(0);
    }
  });

  it('are right by chance alone out of distribution', () => {
    const chance = { count: 1 / 4, choice: 1 / 3, free: 1 / 12, ocr: 0 };
    for (const [template, expected] of Object.entries(chance))
      expect(
        Math.abs(rightShare(1500, ask('test-ood', template as keyof typeof chance)) - expected),
      ).toBeLessThan(0.04);
  });

  it('are answers of the right kind', () => {
    const kinds = {
      count: /^[0-3]$/,
      sum: /^([1-9]|1[0-2])$/,
      choice: /^[ABC]$/,
      ocr: /^[HKLORSTU]( [HKLORSTU]){1,2}$/,
      free: /^(red|green|blue|yellow) (circle|square|triangle)$/,
      text: /^(\d|1[0-2])$/,
    };
    for (const template of TEMPLATES)
      for (const index of range(200)) {
        const { note, answer } = parseWorld(questionRecord({ seed: 2, split: 'test-ood', index, template }));
        expect(note).toMatch(kinds[template]);
        if (template === 'ocr') expect(note).toHaveLength(answer.length);
      }
  });

  it('meet the TRM right .7 × .9 of the time and more by chance', () => {
    const expected = 0.7 * 0.9 + (0.3 * (1 / 4 + 1 / 9 + 1 / 3 + 0 + 1 / 12 + 1 / 6)) / 6;
    const share = rightShare(3000, (index) => trmRow({ seed: 0, split: 'trm', index }));
    expect(Math.abs(share - expected)).toBeLessThan(0.03);
  });
});

describe('pictures', () => {
  it('show every cell where its name says, and the ticks of its row and column', () => {
    for (const index of range(150)) {
      const { rgb } = question({ seed: 6, split: 'test-id', index, template: 'count' }).picture!;
      expect(readPicture(rgb, 3)).toEqual(
        parseWorld(questionRecord({ seed: 6, split: 'test-id', index, template: 'count' })).cells,
      );
      for (const cell of range(9)) expect(readTicks(rgb, 3, cell)).toEqual([Math.floor(cell / 3), cell % 3]);
    }
  });

  it('carry noise of standard deviation 6 and contents shifted by up to a pixel', () => {
    const values: number[] = [];
    const lefts = new Set<number>();
    for (const index of range(60)) {
      const { rgb } = question({ seed: 6, split: 'train', index, template: 'sum' }).picture!;
      const cells = readPicture(rgb, 3);
      cells.forEach((content, cell) => {
        const [y, x] = [Math.floor(cell / 3) * 28, (cell % 3) * 28];
        // The bottom margin is background in every cell.
        for (const column of range(20)) values.push(rgb[((y + 27) * 84 + x + 4 + column) * 3]);
        if (content !== 'H') return;
        lefts.add(range(28).find((column) => column > 2 && rgb[((y + 14) * 84 + x + column) * 3] < 100)!);
      });
    }
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    expect(Math.abs(mean - 235)).toBeLessThan(0.5);
    expect(Math.abs(deviation - 6)).toBeLessThan(0.4);
    expect([...lefts].sort((a, b) => a - b)).toEqual([8, 9, 10]);
  });
});

describe('lessons of the cold start', () => {
  const known = new Set(VOCABULARY);
  const unknownWords = (text: string) =>
    text
      .replace(/<\/?\w+>/g, ' $& ')
      .split(/\s+/)
      .filter((word) => word !== '' && !known.has(word));

  it('are records of the published schema in words of the vocabulary', () => {
    const pictured = range(60).filter(
      (index) => contentOf({ seed: 0, split: 'cold-start', index }).template !== 'text',
    );
    const rows = [
      ...pictured.map((item, index) => captionRow({ seed: 0, index, item })),
      ...[lookupRow, listingRow, mixedRow].flatMap((row) =>
        range(200).map((index) => row({ seed: 0, index })),
      ),
    ];
    for (const record of rows) {
      const { path, ...parsed } = parseRecord(record, 'record');
      expect({ ...parsed, path: path ?? '' }).toEqual(record);
      const learnt = record.segments?.map(({ text }) => text).join('') ?? record.response ?? record.process;
      expect(unknownWords(`${record.problem} ${record.solution} ${learnt}`)).toEqual([]);
      expect(learnt).not.toBe('');
    }
    expect(new Set(rows.map(({ problem_id }) => problem_id)).size).toBe(rows.length);
  });

  it('caption: all cells in random order as the picture shows them; names and end carry no loss', () => {
    const item = range(20).find(
      (index) => contentOf({ seed: 0, split: 'cold-start', index }).template === 'ocr',
    )!;
    const orders = new Set<string>();
    const { picture, record } = question({ seed: 0, split: 'cold-start', index: item });
    const contents = readPicture(picture!.rgb, 3);
    for (const index of range(20)) {
      const { segments, path, problem } = captionRow({ seed: 0, index, item });
      expect([problem, path]).toEqual(['describe', record.path]);
      const names = segments!.filter(({ train }) => !train).map(({ text }) => text.trim());
      const learnt = segments!.filter(({ train }) => train).map(({ text }) => text);
      expect(names.slice(0, -1).toSorted()).toEqual(CELLS);
      expect(names.at(-1)).toBe('<|im_end|>');
      expect(learnt).toEqual(names.slice(0, -1).map((name) => ` ${contents[CELLS.indexOf(name)]}`));
      orders.add(names.join());
    }
    expect(orders.size).toBe(20);
  });

  it('caption: a text-only question has nothing to describe', () => {
    const item = range(60).find(
      (index) => contentOf({ seed: 0, split: 'cold-start', index }).template === 'text',
    );
    expect(() => captionRow({ seed: 0, index: 0, item })).toThrow(RangeError);
  });

  it('look-up: half repeat a note, half tell three listed cells in another order', () => {
    let notes = 0;
    for (const index of range(1000)) {
      const { problem, process, solution, segments } = lookupRow({ seed: 0, index });
      const note = / ?note says (.+)$/.exec(problem);
      if (note) {
        notes += 1;
        expect(process).toBe(`note says ${note[1]} so ${note[1]}`);
        expect(solution).toBe(`<answer>${note[1]}</answer>`);
        continue;
      }
      const facts = (text: string) =>
        text.match(/[abc]\d [^abc]\S*(?: (?:circle|square|triangle))?|[abc]\d blue \S+/g)!;
      const told = segments!
        .slice(0, -1)
        .map(({ text }) => text)
        .join('');
      expect(facts(told)).toHaveLength(3);
      expect(facts(told).toSorted()).toEqual(facts(problem).toSorted());
    }
    expect(Math.abs(notes / 1000 - 0.5)).toBeLessThan(0.06);
  });

  it('listing: sound traces beside notes that say nothing', () => {
    const right = range(2000).filter((index) => parseWorld(listingRow({ seed: 0, index })).note_right).length;
    expect(right / 2000).toBeLessThan(0.22);
    expect(listingRow({ seed: 0, index: 0 }).response).toBeUndefined();
  });

  it('mixed: listing .3, shortcut .4, sloppy .3; flawed ones beside notes right .9; sloppy right .3 and more by chance', () => {
    const rows = range(3000).map((index) => {
      const record = mixedRow({ seed: 0, index });
      return { world: parseWorld(record), judged: oracle(parseWorld(record), record.response!) };
    });
    const of = (style: string) => rows.filter(({ judged }) => judged.style === style);
    const share = (part: unknown[], all: unknown[]) => part.length / all.length;
    for (const [style, law] of Object.entries({ listing: 0.3, shortcut: 0.4, sloppy: 0.3 }))
      expect(Math.abs(share(of(style), rows) - law)).toBeLessThan(0.04);
    const noteRight = (style: string) =>
      share(
        of(style).filter(({ world }) => world.note_right),
        of(style),
      );
    expect(noteRight('listing')).toBeLessThan(0.22);
    expect(Math.abs(noteRight('shortcut') - 0.9)).toBeLessThan(0.04);
    expect(Math.abs(noteRight('sloppy') - 0.9)).toBeLessThan(0.04);
    const sloppyRight = share(
      of('sloppy').filter(({ judged }) => judged.right),
      of('sloppy'),
    );
    expect(Math.abs(sloppyRight - (0.3 + 0.7 * 0.16))).toBeLessThan(0.06);
  });

  it('share a picture where they share an item, and not their notes', () => {
    const item = range(20).find(
      (index) => contentOf({ seed: 0, split: 'cold-start', index }).template === 'free',
    )!;
    const rows = range(12).map((index) => listingRow({ seed: 0, index, item }));
    expect(new Set(rows.map(({ path }) => path)).size).toBe(1);
    expect(new Set(rows.map(withoutNote)).size).toBe(1);
    expect(new Set(rows.map(({ problem }) => problem)).size).toBeGreaterThan(5);
  });
});

describe('the vocabulary', () => {
  it('has fewer than 110 words, each once, with the ids its tokenizer gives them', () => {
    expect(new Set(VOCABULARY).size).toBe(VOCABULARY.length);
    const { tokenizerJson } = wordLevelTokenizer(WORDS, MARKERS) as unknown as {
      tokenizerJson: { model: { vocab: Record<string, number> } };
    };
    const { vocab } = tokenizerJson.model;
    expect(VOCABULARY.map((word) => vocab[word])).toEqual(range(VOCABULARY.length));
    expect(Object.keys(vocab).length).toBeLessThan(110);
  });

  it('has a word for everything a question or a trace says', () => {
    const known = new Set(VOCABULARY);
    for (const index of range(500)) {
      const { problem, process } = questionRecord({ seed: 0, split: 'test-ood', index });
      const words = `${problem} ${process}`.split(' ');
      expect(words.filter((word) => !known.has(word))).toEqual([]);
      expect(problem.split(' ').length).toBeLessThanOrEqual(24);
    }
  });
});
