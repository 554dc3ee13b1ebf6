/**
 * What a model answered, question by question, in a file that survives being killed anywhere: who goes on asks what is
 * not there yet, and again what failed; in the end the file is the same as without a stop.
 */
import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { inBatches } from '../../data/batches.ts';
import { readJsonl } from '../../data/jsonl.ts';
import { type Part, writeResumable } from '../../data/resumable-jsonl.ts';
import { parseWith } from '../../data/validate.ts';
import { RunError } from '../../errors.ts';
import { type Answer, CANNOT_BE_ASKED } from '../../trm/policy.ts';
import type { Asker, ToAsk } from './asker.ts';

/** One line of the file: a question's samples. */
const Answered = z.object({
  id: z.string(),
  responses: z.array(
    z.union([
      z.object({ response: z.string(), finish: z.enum(['stop', 'length']) }),
      z.object({ failure: z.string() }),
    ]),
  ),
});
export type Answered = z.infer<typeof Answered>;

export interface QuestionToAsk extends Omit<ToAsk, 'samples'> {
  id: string;
}

export interface AskOptions {
  questions: readonly QuestionToAsk[];
  asker: Asker;
  /** Samples a question. */
  samples: number;
  /** What the answers depend on: who goes on must have the same. */
  settings: Record<string, unknown>;
  /** Questions answered. */
  progress?: (done: number) => void;
}

/**
 * Answers to all questions, in order; those in `file` are not asked for again, except failures. Throws InputError where
 * the file was begun with other settings, RunError where the model answers no more: what there was is kept.
 */
export async function answersIn(file: string, options: AskOptions): Promise<Answered[]> {
  const before = (await exists(file)) ? await readAnswers(file) : [];
  if (before.length > 0 && !before.some(hasFailure) && !(await exists(`${file}.part`))) return before;
  const first = await pass(file, before, options);
  const again = first.failedBefore ? await pass(file, first.answers, options) : first;
  return again.answers;
}

const hasFailure = ({ responses }: Answered) => responses.some((answer) => 'failure' in answer);

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

async function readAnswers(file: string): Promise<Answered[]> {
  const answers: Answered[] = [];
  for await (const { value, source } of readJsonl(file)) answers.push(parseWith(Answered, value, source));
  return answers;
}

/** Rows that become ready one after the other go to disk together: as many as a kill may cost. */
const ROWS_AT_ONCE = 8;
const PATIENCE_MS = 200;

/** Once through the questions that have no row yet; samples among `before` that are there stand. */
async function pass(
  file: string,
  before: readonly Answered[],
  options: AskOptions,
): Promise<{ answers: Answered[]; failedBefore: boolean }> {
  const { settings, progress } = options;
  const answers: Answered[] = [];
  let failedBefore = false;
  // a file that is there is replaced: its settings have been looked at by who calls
  await writeResumable(file, { settings, counts: {}, force: true }, async (part: Part<object>) => {
    for await (const { value, source } of part.rows()) answers.push(parseWith(Answered, value, source));
    failedBefore = answers.some(hasFailure);
    progress?.(answers.length);
    const rows = answered(options, before, answers.length);
    const rule = {
      joins: (batch: readonly Answered[]) => batch.length < ROWS_AT_ONCE,
      patienceMs: PATIENCE_MS,
    };
    for await (const batch of inBatches(rows, rule)) {
      answers.push(...batch);
      await part.append(batch, answers.length, {});
      progress?.(answers.length);
    }
  });
  return { answers: answers.length > 0 ? answers : await readAnswers(file), failedBefore };
}

/** A failure of the model; that a question cannot be asked at all, its picture being broken, says nothing of it. */
const isServers = (answer: Answer) => 'failure' in answer && !answer.failure.startsWith(CANNOT_BE_ASKED);

/** So many questions in a row without any answer, and the model is taken to be gone. */
const LOST = 24;

/** The rows of questions from `from` on. Failures at the end are held back until an answer comes: a server that has gone costs none. */
async function* answered(
  { questions, asker, samples }: AskOptions,
  before: readonly Answered[],
  from: number,
): AsyncGenerator<Answered> {
  const rest = questions.slice(from).map(({ id, ...question }, i) => {
    const known: (Answer | undefined)[] = before[from + i]?.responses ?? [];
    const all = Array.from({ length: samples }, (_, sample) => known[sample]);
    const wanted = all.flatMap((answer, sample) => (answer && !('failure' in answer) ? [] : [sample]));
    return { id, all, toAsk: { ...question, samples: wanted } };
  });
  const asked = rest.filter(({ toAsk }) => toAsk.samples.length > 0).map(({ toAsk }) => toAsk);
  const replies = asker.ask(asked)[Symbol.asyncIterator]();
  let held: Answered[] = [];
  try {
    for (const { id, all, toAsk } of rest) {
      if (toAsk.samples.length > 0) {
        const reply: Answer[] = (await replies.next()).value;
        for (const [i, sample] of toAsk.samples.entries()) all[sample] = reply[i];
      }
      const row = { id, responses: all as Answer[] };
      held.push(row);
      if (!row.responses.every(isServers)) {
        yield* held;
        held = [];
      } else if (held.length >= LOST) throw new RunError(lost(held));
    }
    if (held.length === questions.length) throw new RunError(lost(held));
    yield* held;
  } finally {
    await replies.return?.();
  }
}

function lost(rows: readonly Answered[]): string {
  const [first] = rows.at(-1)!.responses;
  return `no answer to ${rows.length} questions in a row (${(first as { failure: string }).failure}); what was answered is kept, and the same command goes on from there`;
}
