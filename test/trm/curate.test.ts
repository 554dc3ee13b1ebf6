/** Which annotated rows a TRM learns from. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonLine, readJsonlValues } from '../../src/data/jsonl.ts';
import { InputError } from '../../src/errors.ts';
import { CURATION_DEFAULTS, type CurationSettings, curate, curateRows } from '../../src/trm/curate.ts';
import { curationRules, RULE_DEFAULTS, RULE_NAMES, type RuleName } from '../../src/trm/curation-rules.ts';
import { type Annotated, type Row, rowOf } from '../../src/trm/rows.ts';
import { temporaryFolder } from '../data/folder.ts';
import { annotatedRow, wellFormed } from './rows.ts';

const rejecting = (facts: Partial<Annotated>, problem = 'what is it ?', over: object = {}) =>
  curationRules({ ...RULE_DEFAULTS, ...over })(annotatedRow(1, facts, { problem }));
const thinks = (think: string) => ({ response: wellFormed(think) });

describe('rules reject', () => {
  it.each<[what: string, rule: RuleName | null, facts: Partial<Annotated>]>([
    ['a response that was cut off', 'truncated', { finish: 'length', format_ok: false, score: null }],
    ['a broken format', 'broken_format', { format_ok: false, score: null, response: 'so 1' }],
    ['a row that no judge could score', 'unscored', { score: null, failure: 'no answer' }],
    ['no thinking', 'empty_thinking', thinks('')],
    ['thinking of two words', 'empty_thinking', thinks('so 1')],
    ['not thinking of three', null, thinks('clearly so 1')],
    ['not thinking of three Chinese characters', null, thinks('答案三')],
    ['one word over and over', 'loops', thinks('so '.repeat(30))],
    [
      'one sentence over and over',
      'loops',
      thinks('I look once more at the upper left corner of it. '.repeat(5)),
    ],
    ['one syllable over and over, without spaces', 'loops', thinks('ha'.repeat(500))],
    ['Chinese characters over and over', 'loops', thinks('让我再看一遍这张图片。'.repeat(6))],
    [
      'not a sentence that comes back four times',
      null,
      thinks('I look once more at the upper left corner. '.repeat(4)),
    ],
    [
      'not a list whose entries are alike',
      null,
      thinks(Array.from({ length: 30 }, (_, i) => `cell ${i} holds a red circle and a ${i}`).join(' ')),
    ],
    ['a perfect score for a wrong answer', 'inconsistent', { score: 1, outcome: 0, right: false }],
    ['not right answers from flawed reasoning, which a TRM is for', null, { score: 0, outcome: 1 }],
    ['not sound reasoning that ends in a wrong answer', null, { score: 0.9, outcome: 0, right: false }],
  ])('%s', (_, rule, facts) => {
    expect(rejecting(facts)).toBe(rule);
  });

  const english = 'How large is the area of the triangle in the picture?';
  const chinese = '图中三角形的面积是多少?请用平方厘米回答。';
  it.each<[what: string, rejected: boolean, problem: string, think: string]>([
    ['another language than the question', true, english, '底边是六厘米,高是四厘米,所以面积是十二平方厘米。'],
    [
      'the other way round',
      true,
      chinese,
      'The base is six and the height is four, so the area must be twelve.',
    ],
    [
      'a mix of languages',
      true,
      english,
      'The base 底边是六厘米 and the height 高是四厘米所以 then the area 面积是十二平方厘米',
    ],
    ['not the language of the question', false, chinese, '底边是六厘米,高是四厘米,所以面积是十二平方厘米。'],
    [
      'not mathematics',
      false,
      chinese,
      '设 S=\\frac{1}{2}ab\\sin C,a=6 cm,b=4,\\sin C=1,故 S=\\frac{1}{2}\\times 6\\times 4=12。',
    ],
    ['not bare mathematics', false, chinese, 'S = \\frac{1}{2} a b = 12 cm^2, \\alpha = 90°, x_1 = 3.5'],
    [
      'not a foreign word that is read in the picture',
      false,
      english,
      'The sign says 出口 which means exit, so the area behind it is twelve square metres.',
    ],
    [
      'not an answer to a question of symbols',
      false,
      '3x² + 2 = 14, x = ?',
      '两边减二再除以三得到四所以答案是二。',
    ],
    [
      'not Japanese, whose Han characters are its own',
      false,
      '図の三角形の面積はいくらですか。',
      '底辺は六センチで高さは四センチなので面積は十二です。',
    ],
    [
      'Chinese to a question in Japanese',
      true,
      '図の三角形の面積はいくらですか。',
      '底边是六厘米高是四厘米所以面积是十二平方厘米',
    ],
  ])('language: %s', (_, rejected, problem, think) => {
    expect(rejecting(thinks(think), problem)).toBe(rejected ? 'language' : null);
  });

  it('the same response to the same question a second time, whatever its number', () => {
    const rule = curationRules(RULE_DEFAULTS);
    const ask = (id: number, problem: string) =>
      rule(annotatedRow(id, thinks('the same words'), { problem }));
    expect([ask(1, 'q'), ask(2, 'q'), ask(3, 'another')]).toEqual([null, 'duplicate', null]);
  });

  it('nothing by a rule that is switched off; the next one then has its say', () => {
    const facts = { ...thinks('so '.repeat(30)), score: 1, outcome: 0, right: false };
    expect(rejecting(facts)).toBe('loops');
    expect(rejecting(facts, undefined, { without: ['loops'] })).toBe('inconsistent');
    expect(rejecting(facts, undefined, { without: ['loops', 'inconsistent'] })).toBeNull();
    expect(rejecting(facts, undefined, { loop_times: 30, max_over: 1 })).toBeNull();
    expect(rejecting({ score: 0, outcome: 1 }, undefined, { max_under: 0.9 })).toBe('inconsistent');
  });

  it('no rule there is not, and that of rows without a score stays', () => {
    expect(() => curationRules({ ...RULE_DEFAULTS, without: ['lops' as RuleName] })).toThrow(
      new InputError(`--without lops: no such rule; there are ${RULE_NAMES.join(', ')}`),
    );
    expect(() => curationRules({ ...RULE_DEFAULTS, without: ['unscored'] })).toThrow(/is in no interval$/);
  });
});

const settings = (over: Partial<CurationSettings>): CurationSettings => ({ ...CURATION_DEFAULTS, ...over });
/** `n` rows with scores that are mostly high. */
const someRows = (n: number) =>
  Array.from({ length: n }, (_, i) => annotatedRow(i, { score: ((i * i) % 11) / 10, outcome: 0.5 }));

describe('curated rows', () => {
  it('stay in order, as many of each interval as the quota says, and every row is accounted for', () => {
    const rows = someRows(400);
    const { kept, counts } = curateRows(rows, settings({ floor: 5, cap: 40, total: 150 }));
    expect(kept).toHaveLength(150);
    expect(kept).toEqual(rows.filter((row) => kept.includes(row)));
    expect(counts.kept).toBe(150);
    const rejected = Object.values(counts.rejected).reduce((a, b) => a + b);
    const available = counts.intervals.reduce((a, { available: n }) => a + n, 0);
    expect(rejected + available).toBe(counts.read);
    expect(counts.intervals.map((interval) => interval.kept)).toEqual(
      Array.from(
        { length: 10 },
        (_, i) => kept.filter(({ facts }) => Math.min(9, Math.floor(10 * facts.score!)) === i).length,
      ),
    );
    expect(counts.below_floor).toEqual(counts.intervals.flatMap(({ available: n }, i) => (n < 5 ? [i] : [])));
    expect(counts.below_floor.length).toBeGreaterThan(0);
  });

  it('a set smaller than the total stays whole under the cap', () => {
    expect(curateRows(someRows(50), CURATION_DEFAULTS).kept).toHaveLength(50);
  });

  it('are chosen by row and seed alone: the order of the rows does not matter, the seed does', () => {
    const rows = someRows(200);
    const chosen = (list: readonly Row<Annotated>[], seed: number) =>
      new Set(
        curateRows(list, settings({ floor: 0, cap: 9, total: 60, seed })).kept.map(
          ({ record }) => record.problem_id,
        ),
      );
    const first = chosen(rows, 0);
    fc.assert(
      fc.property(fc.shuffledSubarray(rows, { minLength: rows.length }), (shuffled) => {
        expect(chosen(shuffled, 0)).toEqual(first);
      }),
      { numRuns: 10 },
    );
    expect(chosen(rows, 1)).not.toEqual(first);
  });

  it('of files are those of the same rows in memory, with their pictures seen from the new file', async () => {
    const dir = temporaryFolder();
    const rows = someRows(300).map((row, i) => ({
      ...row,
      record: { ...row.record, data_type: 'image' as const, picture: join(dir, 'images', `${i}.png`) },
    }));
    const files = ['a', 'b'].map((name) => join(dir, `${name}.jsonl`));
    files.forEach((file, k) => {
      const part = rows.slice(150 * k, 150 * (k + 1));
      writeFileSync(file, part.map((row) => jsonLine(rowOf(row, file))).join(''));
    });
    const out = join(dir, 'below', 'out.jsonl');
    const quota = settings({ floor: 5, cap: 40, total: 150 });
    const counts = await curate(files, out, quota);
    const inMemory = curateRows(rows, quota);
    expect(counts).toEqual(inMemory.counts);
    const written = await readJsonlValues(out);
    expect(written).toEqual(inMemory.kept.map((row) => rowOf(row, out)));
    expect(written[0]).toMatchObject({ path: expect.stringMatching(/^\.\.\/images\/\d+\.png$/) });
  });

  it('settings that contradict each other are refused', () => {
    expect(() => curateRows([], settings({ floor: 9, cap: 8 }))).toThrow(/^--floor 9: is above --cap 8$/);
    expect(() => curateRows([], settings({ floor: 9, total: 80 }))).toThrow(
      /more than --total 80; lower it to 8$/,
    );
  });
});
