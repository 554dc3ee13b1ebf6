/** Which annotated rows a TRM learns from. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonLine, readJsonlValues } from '../../src/data/jsonl.ts';
import { InputError } from '../../src/errors.ts';
import { CURATION_DEFAULTS, type CurationSettings, checkCuration, curate } from '../../src/trm/curate.ts';
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
});

const settings = (over: Partial<CurationSettings>): CurationSettings => ({ ...CURATION_DEFAULTS, ...over });
/** `n` rows with scores that are mostly high. */
const someRows = (n: number) =>
  Array.from({ length: n }, (_, i) => annotatedRow(i, { score: ((i * i) % 11) / 10, outcome: 0.5 }));

/** Curates the rows as one file; returns what stays. */
async function curated(rows: readonly Row<Annotated>[], given: CurationSettings) {
  const dir = mkdtempSync(join(folder, 'rows-'));
  const [file, out] = ['in.jsonl', 'out.jsonl'].map((name) => join(dir, name));
  writeFileSync(file, rows.map((row) => jsonLine(rowOf(row, file))).join(''));
  const counts = await curate([file], out, given);
  return { kept: (await readJsonlValues(out)) as DataRow[], counts };
}
type DataRow = ReturnType<typeof rowOf<Annotated>>;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-curate-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('curated rows', () => {
  it('stay in order, as many of each interval as the quota says, and every row is accounted for', async () => {
    const rows = someRows(400);
    const { kept, counts } = await curated(rows, settings({ floor: 5, cap: 40, total: 150 }));
    expect(kept).toHaveLength(150);
    const ids = kept.map(({ problem_id }) => problem_id);
    expect(ids).toEqual(rows.map(({ record }) => record.problem_id).filter((id) => ids.includes(id)));
    expect(counts.kept).toBe(150);
    const rejected = Object.values(counts.rejected).reduce((a, b) => a + b);
    const available = counts.intervals.reduce((a, { available: n }) => a + n, 0);
    expect(rejected + available).toBe(counts.read);
    expect(counts.intervals.map((interval) => interval.kept)).toEqual(
      Array.from(
        { length: 10 },
        (_, i) => kept.filter(({ score }) => Math.min(9, Math.floor(10 * score!)) === i).length,
      ),
    );
    expect(counts.below_floor).toEqual(counts.intervals.flatMap(({ available: n }, i) => (n < 5 ? [i] : [])));
    expect(counts.below_floor.length).toBeGreaterThan(0);
  });

  it('a set smaller than the total stays whole under the cap', async () => {
    expect((await curated(someRows(50), CURATION_DEFAULTS)).kept).toHaveLength(50);
  });

  it('are chosen by row and seed alone: the order of the rows does not matter, the seed does', async () => {
    const rows = someRows(200);
    const chosen = async (list: readonly Row<Annotated>[], seed: number) => {
      const { kept } = await curated(list, settings({ floor: 0, cap: 9, total: 60, seed }));
      return new Set(kept.map(({ problem_id }) => problem_id));
    };
    const first = await chosen(rows, 0);
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(rows, { minLength: rows.length }), async (shuffled) => {
        expect(await chosen(shuffled, 0)).toEqual(first);
      }),
      { numRuns: 10 },
    );
    expect(await chosen(rows, 1)).not.toEqual(first);
  });

  it('of several files are those of one that holds the same, with their pictures seen from the new file', async () => {
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
    const ofOne = await curated(rows, quota);
    expect(counts).toEqual(ofOne.counts);
    const written = (await readJsonlValues(out)) as DataRow[];
    expect(written.map(({ problem_id }) => problem_id)).toEqual(ofOne.kept.map((row) => row.problem_id));
    expect(written[0]).toMatchObject({ path: expect.stringMatching(/^\.\.\/images\/\d+\.png$/) });
  });
});

describe('settings are refused, under the names they were given by,', () => {
  const refused = (over: Partial<CurationSettings>, named = (key: string) => `--${key}`) => {
    try {
      checkCuration(settings(over), named);
    } catch (error) {
      if (error instanceof InputError) return error.message;
      throw error;
    }
    return null;
  };

  it('where they contradict each other', () => {
    expect(refused({})).toBeNull();
    expect(refused({ floor: 9, cap: 8 })).toBe('--floor 9: is above --cap 8');
    expect(refused({ floor: 9, cap: 8 }, (key) => `trm.curate.${key}`)).toBe(
      'trm.curate.floor 9: is above trm.curate.cap 8',
    );
    expect(refused({ floor: 9, total: 80 })).toMatch(/more than --total 80; lower it to 8$/);
  });

  it('where there is no such rule, or none that can be switched off', () => {
    expect(refused({ without: ['loops'] })).toBeNull();
    expect(refused({ without: ['lops' as RuleName] })).toBe(
      `--without lops: no such rule; there are ${RULE_NAMES.join(', ')}`,
    );
    expect(refused({ without: ['unscored'] })).toMatch(/is in no interval$/);
  });
});
