/**
 * A model behind a server on a file of records: like a checkpoint (record-file.ts), by the outcome rules, but what was
 * answered is kept as it comes, and a question without an answer is not scored by itself.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileWhole } from '../data/atomic.ts';
import { questionText } from '../data/chat/prompting.ts';
import { writeJsonl } from '../data/jsonl.ts';
import { shownAddress } from '../data/pictures/address.ts';
import { pictureBytes } from '../data/pictures/bytes.ts';
import type { LoadedRecord } from '../data/records/reader.ts';
import type { Scores } from '../data/run-folder.ts';
import type { Asker, ShownPart } from './asking/asker.ts';
import { answersIn } from './asking/responses.ts';
import { bestAmong, bestOf, type Choosing } from './best-of.ts';
import { inFolder, responsesFile, type Settings } from './evaluation-folder.ts';
import { scoresOf } from './measures.ts';
import { prediction, type Said } from './predict.ts';
import type { Questions } from './record-file.ts';

export interface ServerOptions {
  asker: Asker;
  /** How a question is written, with {problem} and {options}. */
  template: string;
  temperature: number;
  /** Null: one response a question. */
  choosing: Choosing | null;
  /** What a question without a response counts as; null: then there are no scores. */
  failures: 'wrong' | null;
  /** All that responses depend on. */
  settings: Settings;
  progress?: (done: number) => void;
}

/** Exactly one of the two is null. */
export interface ServerEvaluation {
  scores: Scores | null;
  /** Why there are no scores, for a person. */
  incomplete: string | null;
}

/** Throws InputError, RunError; responses that are there by then are kept. */
export async function evaluateAtServer(
  questions: Questions,
  dir: string,
  options: ServerOptions,
): Promise<ServerEvaluation> {
  return inFolder(dir, options.settings, () => evaluate(questions, dir, options));
}

async function evaluate(
  { records, split }: Questions,
  dir: string,
  { asker, template, temperature, choosing, failures, settings, progress }: ServerOptions,
): Promise<ServerEvaluation> {
  const all: LoadedRecord[] = [];
  for (let i = 0; i < records.length; i++) all.push(await records.get(i));
  const answered = await answersIn(responsesFile(dir), {
    questions: all.map((record, key) => ({
      id: String(record.problem_id),
      key,
      source: record.source,
      content: () => recordParts(record, template),
    })),
    asker,
    samples: choosing?.samples ?? 1,
    settings,
    progress,
  });
  const failureOf = (i: number) =>
    answered[i].responses.flatMap((a) => ('failure' in a ? [a.failure] : []))[0];
  const failed = all.flatMap((_, i) => failureOf(i) ?? []);
  const asked = all.map((record, i) => ({ record, responses: answered[i].responses.map(said) }));
  const predictions =
    choosing === null || (failed.length > 0 && failures === null)
      ? asked.map(({ record, responses }) => prediction(record, responses[0]))
      : await bestAmong(asked, choosing);
  const rows = predictions.map((row, i) => {
    const failure = failureOf(i);
    return failure === undefined ? row : { ...row, failure };
  });
  if (failed.length > 0 && failures === null) {
    await rm(join(dir, 'scores.json'), { force: true });
    // what was not said is not there to be read
    await writeJsonl(
      join(dir, 'predictions.jsonl'),
      rows.map((row) => ('failure' in row ? withoutResponse(row) : row)),
    );
    return {
      scores: null,
      incomplete: `${failed.length} of ${all.length} questions have no response (${failed[0]}); predictions are kept, the same command asks these again, and --failures wrong counts them as wrong`,
    };
  }
  const scores: Scores = {
    ...scoresOf(predictions, asker.name, split, temperature),
    no_response: failed.length,
    ...(choosing === null
      ? {}
      : { best_of: bestOf(predictions as Awaited<ReturnType<typeof bestAmong>>, choosing) }),
  };
  await writeJsonl(join(dir, 'predictions.jsonl'), rows);
  await writeFileWhole(join(dir, 'scores.json'), `${JSON.stringify(scores, null, 2)}\n`);
  return { scores, incomplete: null };
}

function withoutResponse<T extends object>(row: T): Partial<T> {
  const unsaid = ['response', 'finish', 'format_ok', 'right', 'oracle'];
  return Object.fromEntries(Object.entries(row).filter(([key]) => !unsaid.includes(key))) as Partial<T>;
}

/** Nothing said is of broken format, and wrong. */
function said(answer: { response: string; finish: Said['finish'] } | { failure: string }): Said {
  return 'failure' in answer ? { response: '', finish: 'stop' } : answer;
}

async function recordParts(record: LoadedRecord, template: string): Promise<ShownPart[]> {
  const text = { text: questionText(record, template) };
  if (record.picture === null) return [text];
  const bytes = await pictureBytes(record.picture, record.roots);
  return [{ picture: bytes, source: `${record.source}: ${shownAddress(record.picture)}` }, text];
}
