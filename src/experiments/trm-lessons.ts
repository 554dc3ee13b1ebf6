/**
 * What a run's TRM learns from and is measured on: responses of the policy it will judge, collected, annotated and
 * curated by the same functions as the commands `sophia trm …`, in the run's folder trm/.
 */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileWhole } from '../data/atomic.ts';
import type { Chat } from '../data/chat.ts';
import { jsonLine, readJsonl } from '../data/jsonl.ts';
import { openRecords, type Records } from '../data/reader.ts';
import { RunError } from '../errors.ts';
import { annotateFile } from '../trm/annotate-file.ts';
import { collectFile, policyResponses } from '../trm/collect-file.ts';
import { curate } from '../trm/curate.ts';
import { enginePolicy, type SamplingOptions } from '../trm/policy.ts';
import { heldOutQuestions } from '../trm/question.ts';
import type { ScoredResponse } from '../trm/rows.ts';
import { type Annotated, annotatedSchema, parseRow, type Row, rowOf } from '../trm/rows.ts';
import { openAnnotator } from './annotator.ts';
import { engineOf, type SeedRun } from './context.ts';

export const trmDir = (run: SeedRun) => join(run.dir, 'trm');
export const trmFiles = (run: SeedRun) => {
  const file = (name: string) => join(trmDir(run), name);
  return {
    collected: file('collected.jsonl'),
    annotated: file('annotated.jsonl'),
    learnable: file('learnable.jsonl'),
    heldOut: file('held-out.jsonl'),
    curated: file('responses.jsonl'),
    curation: file('curation.json'),
    reliability: file('reliability.json'),
  };
};

/** Collects, annotates and curates what the TRM learns from, as the commands `sophia trm …` do. */
export async function makeLessons(run: SeedRun, base: string, chat: Chat, questions: Records): Promise<void> {
  const { recipe, context, seed } = run;
  const { collected, annotated, learnable, heldOut, curated, curation } = trmFiles(run);
  if (existsSync(curation)) return;
  const label = `${context.prefix}trm: responses`;
  const reported = (done: number) => {
    context.signal.throwIfAborted();
    context.reporter.update(label, done);
  };
  context.reporter.start(label, questions.length);
  if (!existsSync(collected)) {
    const sampling = samplingOf(run);
    const policy = enginePolicy('start', { engine: await engineOf(run, base, 'nothing'), chat }, sampling);
    try {
      const options = { settings: { ...sampling }, force: false, progress: reported };
      await collectFile(policyResponses(questions, policy), collected, options);
    } finally {
      await policy.dispose();
    }
  }
  if (!existsSync(annotated)) {
    const annotator = await openAnnotator(run, base, chat);
    try {
      await annotateFile(collected, annotated, annotator, { settings: { seed }, force: false });
    } finally {
      await annotator.dispose();
    }
  }
  const isHeldOut = heldOutQuestions(seed, recipe.trm.held_out);
  await copyRows(annotated, learnable, ({ record }) => !isHeldOut(record));
  await copyRows(annotated, heldOut, ({ record, facts }) => facts.score !== null && isHeldOut(record));
  const counts = await curate([learnable], curated, { ...recipe.trm.curate, seed });
  const held = (await openedOrNone(heldOut))?.length ?? 0;
  if (counts.kept === 0 || held === 0) {
    throw new RunError(
      `trm: the policy gave ${counts.kept} well-formed responses to learn from and ${held} to hold out; it needs a longer cold start, or more questions (world.trm)`,
    );
  }
  await writeFileWhole(curation, `${JSON.stringify(counts)}\n`);
  context.reporter.finish(label, `${counts.kept} to learn from, ${held} held out`);
}

/** Rows of one file of annotated responses into another. */
async function copyRows(from: string, to: string, wanted: (row: Row<Annotated>) => boolean): Promise<void> {
  async function* lines() {
    for await (const { value, source } of readJsonl(from)) {
      const row = parseRow<Annotated>(annotatedSchema, value, source, from);
      if (wanted(row)) yield jsonLine(rowOf(row, to));
    }
  }
  await writeFileWhole(to, lines());
}

async function openedOrNone(file: string): Promise<Records | null> {
  return (await stat(file)).size > 0 ? openRecords(file) : null;
}

/** How the policy is asked for responses to judge. */
export function samplingOf({ recipe, seed }: SeedRun): SamplingOptions {
  const { samples, temperature } = recipe.trm;
  return { template: recipe.data.template, samples, temperature, maxTokens: recipe.rl.max_tokens, seed };
}

export async function readHeldOut(run: SeedRun): Promise<ScoredResponse[]> {
  const records = await openRecords(trmFiles(run).heldOut);
  const rows = await Promise.all(Array.from({ length: records.length }, (_, i) => records.get(i)));
  return rows.map((record) => ({ record, response: record.response!, score: record.score! }));
}
