/** The reliability bench: a judge, measured on responses whose quality is known. Its result is bench.json. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseResponse } from '../../rewards/format.ts';
import { keyed } from '../../worlds/random.ts';
import type { Judge, JudgedResponse } from '../judge.ts';
import { oracleVerdict } from '../oracle-judge.ts';
import { type Agreement, agreement, type Scored } from './agreement.ts';
import { ask, type Coverage, coverageOf } from './ask.ts';
import { attacked, attacksOn, PICTURE_ATTACK } from './attacks.ts';
import { type Attacked, attackedBy, type Change, type Changed, changed } from './changes.ts';
import { CORRUPTIONS, type Corruption, corrupted } from './corruptions.ts';
import type { Resampling } from './estimate.ts';
import { attackPicture } from './picture-attack.ts';
import { type Rankings, rankings } from './ranking.ts';
import { type BenchRow, type BenchRows, type Questions, SOUND } from './rows.ts';
import { measureRun, type RunMeasures, type readRun } from './run.ts';

export interface BenchResult {
  format: 1;
  /** As it was named: a folder, an address, `oracle`. */
  judge: string;
  file: string;
  seed: number;
  /** Of the intervals. */
  resamples: number;
  data: {
    /** Rows of the file, those measured on, and why others were left out. */
    read: number;
    used: number;
    left_out: BenchRows['left_out'];
    questions: number;
    /** Known quality ≥ 0.5; exact match of the answer. */
    sound: number;
    right: number;
    /** Responses that were changed: sound and flawed ones. */
    probed: { sound: number; flawed: number };
  };
  /** Of the responses as they are; changed ones carry their own. */
  coverage: Coverage;
  agreement: Agreement;
  ranking: Rankings;
  /** Sound responses made worse. */
  sensitivity: ({ name: Corruption; what: string } & Changed)[];
  /** Attempts at a better score without better reasoning, on flawed responses and on sound ones. */
  gaming: AttackResult[];
  run: RunMeasures | null;
}

export interface AttackResult {
  name: string;
  what: string;
  /** Share of attacked responses that still have the right format; others are never shown to a judge in training. */
  format_kept: number;
  flawed: Attacked;
  sound: Attacked;
}

export interface BenchOptions {
  seed: number;
  /** Responses changed at most, of sound ones and of flawed ones each. */
  probes: number;
  resamples?: number;
  /** What the result calls the judge and the file. */
  names: { judge: string; file: string; run: string | null };
  run: Awaited<ReturnType<typeof readRun>> | null;
  progress?: (done: number, total: number) => void;
}

const RESAMPLES = 1000;

/** Throws what the judge throws. The same input, seed and scores give the same result to the last digit. */
export async function bench(judge: Judge, rows: BenchRows, options: BenchOptions): Promise<BenchResult> {
  const { seed, names } = options;
  const resampling: Resampling = { seed, resamples: options.resamples ?? RESAMPLES };
  const { questions } = rows;
  const all = questions.flat();
  const sound = all.filter(({ known }) => known >= SOUND);
  const probes = {
    sound: sampled(sound, options.probes, seed),
    flawed: sampled(
      all.filter(({ known }) => known < SOUND),
      options.probes,
      seed,
    ),
  };
  const pictures = await mkdtemp(join(tmpdir(), 'sophiavl-bench-'));
  try {
    const corruptions = corruptionProbes(probes.sound, all, seed);
    const attacks = [
      ...attackProbes([...probes.flawed, ...probes.sound], seed),
      ...(await pictureProbes([...probes.flawed, ...probes.sound], pictures)),
    ];
    const total = all.length + corruptions.length + attacks.length;
    const progress = (from: number) => (done: number) => options.progress?.(from + done, total);

    const scores = await ask(judge, all, progress(0));
    const before = new Map(all.map((row, i) => [row, scores[i].score]));
    const changesOf = async (some: readonly Probe[], from: number): Promise<Probed[]> => {
      const after = await ask(
        judge,
        some.map(({ asked }) => asked),
        progress(from),
      );
      return some.map((probe, i) => ({ name: probe.name, change: changeOf(probe, before, after[i].score) }));
    };
    const worse = await changesOf(corruptions, all.length);
    const gamed = await changesOf(attacks, all.length + corruptions.length);

    const scored = questions
      .map((some) =>
        some.flatMap((row): Scored[] => {
          const judged = before.get(row) ?? null;
          return judged === null ? [] : [{ ...row, judged }];
        }),
      )
      .filter((some) => some.length > 0);
    return {
      format: 1,
      judge: names.judge,
      file: names.file,
      seed,
      resamples: resampling.resamples,
      data: {
        read: rows.read,
        used: all.length,
        left_out: rows.left_out,
        questions: questions.length,
        sound: sound.length,
        right: all.filter(({ right }) => right).length,
        probed: { sound: probes.sound.length, flawed: probes.flawed.length },
      },
      coverage: coverageOf(scores),
      agreement: agreement(scored, resampling),
      ranking: rankings(scored, resampling),
      sensitivity: corruptionNames.map((name) => ({
        name,
        what: CORRUPTIONS[name],
        ...changed(byQuestion(named(worse, name), questions), resampling),
      })),
      gaming: attackNames(attacks).map(({ name, what }) => {
        const changes = named(gamed, name);
        const part = (is: (row: BenchRow) => boolean) =>
          attackedBy(
            byQuestion(
              changes.filter(({ row }) => is(row)),
              questions,
            ),
            resampling,
          );
        return {
          name,
          what,
          format_kept: changes.filter(({ format_kept }) => format_kept).length / changes.length,
          flawed: part(({ known }) => known < SOUND),
          sound: part(({ known }) => known >= SOUND),
        };
      }),
      run: options.run && names.run !== null ? measureRun(names.run, options.run, resampling) : null,
    };
  } finally {
    await rm(pictures, { recursive: true, force: true });
  }
}

/** A changed response, under the name of what was done to it. */
interface Probe {
  name: string;
  what: string;
  row: BenchRow;
  asked: JudgedResponse;
}

interface Probed {
  name: string;
  change: Change;
}

const corruptionNames = Object.keys(CORRUPTIONS) as Corruption[];

/** So many rows, drawn by the seed, in their order. */
function sampled(rows: readonly BenchRow[], most: number, seed: number): BenchRow[] {
  if (rows.length <= most) return [...rows];
  const chosen = new Set(keyed('bench', 'probes', seed).permutation(rows.length).slice(0, most));
  return rows.filter((_, i) => chosen.has(i));
}

function corruptionProbes(rows: readonly BenchRow[], others: readonly BenchRow[], seed: number): Probe[] {
  return corruptionNames.flatMap((name) =>
    rows.flatMap((row, i): Probe[] => {
      const response = corrupted(name, row, others, [seed, i]);
      const { record } = row;
      return response === null ? [] : [{ name, what: CORRUPTIONS[name], row, asked: { record, response } }];
    }),
  );
}

function attackProbes(rows: readonly BenchRow[], seed: number): Probe[] {
  return rows.flatMap((row, i) =>
    attacksOn(row).flatMap((attack): Probe[] => {
      const response = attacked(attack, row, [seed, i]);
      const { name, what } = attack;
      return response === null ? [] : [{ name, what, row, asked: { record: row.record, response } }];
    }),
  );
}

/** Each picture is written onto once, however many responses there are to it. */
async function pictureProbes(rows: readonly BenchRow[], dir: string): Promise<Probe[]> {
  const written = new Map<string, string | null>();
  const probes: Probe[] = [];
  for (const row of rows) {
    const { picture, roots } = row.record;
    if (picture === null) continue;
    if (!written.has(picture))
      written.set(picture, await attackPicture(picture, dir, String(written.size), roots));
    const file = written.get(picture);
    if (file != null)
      probes.push({
        ...PICTURE_ATTACK,
        row,
        asked: { record: { ...row.record, picture: file, roots: [dir] }, response: row.response },
      });
  }
  return probes;
}

function changeOf(
  { row, asked }: Probe,
  before: ReadonlyMap<BenchRow, number | null>,
  after: number | null,
): Change {
  const [was, is] = [row.response, asked.response].map((text) => oracleVerdict(row.record, text));
  return {
    row,
    before: before.get(row) ?? null,
    after,
    oracle: was && is && { before: was.score, after: is.score },
    format_kept: parseResponse(asked.response) !== null,
  };
}

const named = (probed: readonly Probed[], wanted: string) =>
  probed.flatMap(({ name, change }) => (name === wanted ? [change] : []));

function attackNames(probes: readonly Probe[]): { name: string; what: string }[] {
  return [...new Map(probes.map(({ name, what }) => [name, { name, what }])).values()];
}

/** Changes put together as their rows are; questions without any fall away. */
function byQuestion(changes: readonly Change[], questions: Questions): Questions<Change> {
  const of = new Map<BenchRow, Change>(changes.map((change) => [change.row, change]));
  return questions.map((rows) => rows.flatMap((row) => of.get(row) ?? [])).filter((rows) => rows.length > 0);
}
