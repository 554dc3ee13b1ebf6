/** One of N responses to each question of a benchmark, chosen by a judge or by vote (see best-of.ts), and what that was worth. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePicture, encodePng } from '../data/pictures/images.ts';
import type { BestOf } from '../data/run-folder.ts';
import { mean, share } from '../data/shares.ts';
import type { Judge, JudgeScore } from '../trm/judge.ts';
import type { Answer } from '../trm/policy.ts';
import type { ShownPart } from './asking/asker.ts';
import { type Benchmark, READ, type Row, type Scorer } from './benchmarks/benchmark.ts';
import { type PredictionRow, scored, spokenAnswer } from './scoring.ts';
import { curve, majority, ranked } from './selection.ts';

/** One of the responses to a question, as predictions.jsonl keeps it. */
export interface Candidate extends JudgeScore {
  /** Null where the model gave none; `failure` then says why. */
  response: string | null;
  finish: 'stop' | 'length' | null;
  /** As votes are counted. */
  answer: string | null;
  /** By the rules, whatever a model would read in it. */
  right: boolean;
}

export interface Chooser {
  /** Scores what says anything; null: nobody does, the majority chooses. */
  judge: Judge | null;
  /** What the judge is called in the scores. */
  judgeName: string | null;
  choose: 'judge' | 'majority';
}

export interface Asked {
  fields: Row;
  answers: readonly Answer[];
  /** The beginning of messages about it. */
  source: string;
  parts(): Promise<ShownPart[]>;
}

export interface Chosen {
  /** For each question its candidates and the place of the chosen one, 0-based. */
  choices: { chosen: number; candidates: Candidate[] }[];
  best_of: BestOf;
}

/** Every question has as many answers as the first. Throws what the judge throws. */
export async function chosenAnswers(
  benchmark: Benchmark,
  questions: readonly Asked[],
  { judge, judgeName, choose }: Chooser,
  scorer: Scorer,
  progress?: (done: number) => void,
): Promise<Chosen> {
  const samples = questions[0].answers.length;
  const found = Array.from(
    { length: samples },
    (_, k) =>
      scored(
        benchmark,
        questions.map(({ fields, answers }) => rowOf(fields, answers[k])),
        scorer,
      ).rows,
  );
  const unjudged = questions.map(({ answers }, i) =>
    answers.map((answer, k): Candidate => {
      if ('failure' in answer)
        return {
          response: null,
          finish: null,
          answer: null,
          right: false,
          score: null,
          failure: answer.failure,
        };
      return {
        ...answer,
        answer: votedAnswer(answer.response, found[k][i]),
        right: found[k][i].hit,
        score: null,
        failure: null,
      };
    }),
  );
  const candidates = judge === null ? unjudged : await judged(judge, questions, unjudged, progress);
  const choices = candidates.map((some) => ({
    chosen: choose === 'majority' ? majority(some) : ranked(some)[0],
    candidates: some,
  }));
  const shown = candidates.flat().filter(({ answer }) => answer !== null);
  const curves = candidates.map((some) => curve(some, judge !== null));
  const best_of: BestOf = {
    samples,
    chosen_by: choose,
    judge: judgeName,
    coverage: judge === null || shown.length === 0 ? null : share(shown, ({ score }) => score !== null),
    curve: curves[0].map(({ n }, i) => ({
      n,
      pass: mean(curves.map((points) => points[i].pass)),
      judge: judge === null ? null : mean(curves.map((points) => points[i].judge!)),
      majority: mean(curves.map((points) => points[i].majority)),
    })),
  };
  return { choices, best_of };
}

export function rowOf(fields: Row, answer: Answer): PredictionRow {
  return 'failure' in answer
    ? { ...fields, failure: answer.failure }
    : { ...fields, response: answer.response, finish: answer.finish };
}

/** What the scorer has read in a response; where that is nothing, what it says in its own words. */
function votedAnswer(response: string, found: Row): string | null {
  const spoken = spokenAnswer(response);
  const read = READ.map((key) => found[key]).find((value) => value !== undefined && value !== null);
  return spoken === null || read === undefined ? spoken : JSON.stringify(read);
}

/** Questions whose responses are handed over together. */
const TOGETHER = 16;

async function judged(
  judge: Judge,
  questions: readonly Asked[],
  candidates: readonly Candidate[][],
  progress: ((done: number) => void) | undefined,
): Promise<Candidate[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'sophia-judged-'));
  const scoredCandidates: Candidate[][] = [];
  try {
    for (let from = 0; from < questions.length; from += TOGETHER) {
      const some = candidates.slice(from, from + TOGETHER);
      const shown = [];
      for (const [i, those] of some.entries()) {
        const record = await judgedQuestion(questions[from + i], join(folder, String(from + i)));
        for (const { response, answer } of those)
          if (response !== null && answer !== null) shown.push({ record, response });
      }
      const scores = (await judge.score(shown)).values();
      for (const those of some)
        scoredCandidates.push(
          those.map((one) => (one.answer === null ? one : { ...one, ...scores.next().value! })),
        );
      for (const { record } of shown) if (record.picture !== null) await rm(record.picture, { force: true });
      progress?.(scoredCandidates.length);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return scoredCandidates;
}

/** Judges look at one picture in a file: several stand below one another in it. */
async function judgedQuestion({ parts, source }: Asked, file: string) {
  const shown = await parts();
  const pictures = shown.flatMap((part) => ('picture' in part ? [part.picture] : []));
  const problem = shown.flatMap((part) => ('text' in part ? [part.text] : [])).join('\n');
  if (pictures.length > 0)
    await writeFile(file, pictures.length === 1 ? pictures[0] : await stacked(pictures, source));
  return { problem, options: [], picture: pictures.length > 0 ? file : null, source };
}

async function stacked(encoded: readonly Uint8Array[], source: string): Promise<Uint8Array> {
  const pictures = [];
  for (const bytes of encoded) pictures.push(await decodePicture(bytes, source));
  const width = Math.max(...pictures.map((picture) => picture.width));
  const height = pictures.reduce((sum, picture) => sum + picture.height, 0);
  const rgb = new Uint8Array(width * height * 3).fill(255);
  let top = 0;
  for (const picture of pictures) {
    for (let y = 0; y < picture.height; y++) {
      const line = picture.rgb.subarray(y * picture.width * 3, (y + 1) * picture.width * 3);
      rgb.set(line, (top + y) * width * 3);
    }
    top += picture.height;
  }
  return encodePng(rgb, width, height);
}
