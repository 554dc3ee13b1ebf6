/**
 * What a run's TRM learns from and is measured on: responses of the policy it will judge, collected, annotated and
 * curated by the same functions as the commands `sophia trm …`, in the run's folder trm/.
 */
import { existsSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileWhole } from '../data/atomic.ts';
import type { Chat } from '../data/chat/chat.ts';
import { jsonLine, readJsonl } from '../data/jsonl.ts';
import { NOT_LOOKED_AT } from '../data/pictures/access.ts';
import { openRecords, type Records } from '../data/records/reader.ts';
import { RunError } from '../errors.ts';
import { NOT_SHOWN } from '../trm/annotate.ts';
import { annotateFile, requireScores } from '../trm/annotate-file.ts';
import { collectFile, policyResponses } from '../trm/collect-file.ts';
import { curate } from '../trm/curate.ts';
import { enginePolicy, type SamplingOptions } from '../trm/policy.ts';
import { heldOutQuestions } from '../trm/question.ts';
import type { ScoredResponse } from '../trm/rows.ts';
import { type Annotated, annotatedSchema, parseRow, type Row, rowOf } from '../trm/rows.ts';
import { openAnnotator } from './annotator.ts';
import { engineOf, type SeedRun } from './context.ts';
import type { Recipe } from './recipe.ts';
import { ownAccess } from './records.ts';

export const trmDir = (run: SeedRun) => join(run.dir, 'trm');
export const trmFiles = (run: SeedRun) => {
  const file = (name: string) => join(trmDir(run), name);
  return {
    collected: file('collected.jsonl'),
    annotated: file('annotated.jsonl'),
    /** Where the annotator failed too often. */
    unfinished: file('annotated-in-part.jsonl'),
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
  if (!existsSync(annotated)) await annotateResponses(run, base, chat, reported);
  const isHeldOut = heldOutQuestions(seed, recipe.trm.held_out);
  await copyRows(annotated, learnable, ({ record }) => !isHeldOut(record));
  await copyRows(annotated, heldOut, ({ record, facts }) => facts.score !== null && isHeldOut(record));
  const counts = await curate([learnable], curated, { ...recipe.trm.curate, seed });
  const held = (await openedOrNone(heldOut, recipe))?.length ?? 0;
  if (counts.kept === 0 || held === 0) {
    throw new RunError(
      `trm: the policy gave ${counts.kept} well-formed responses to learn from and ${held} to hold out; it needs a longer cold start, or more questions (world.trm)`,
    );
  }
  await writeFileWhole(curation, `${JSON.stringify(counts)}\n`);
  context.reporter.finish(label, `${counts.kept} to learn from, ${held} held out`);
}

/**
 * Scores what was collected. Where too little could be scored the stage ends, and what was scored is kept for the next
 * time, when only the rest is asked for. Throws RunError.
 */
async function annotateResponses(
  run: SeedRun,
  base: string,
  chat: Chat,
  progress: (done: number) => void,
): Promise<void> {
  const { recipe, context, seed } = run;
  const { collected, annotated, unfinished } = trmFiles(run);
  const annotator = await openAnnotator(run, base, chat);
  const again = existsSync(unfinished);
  const access = ownAccess(recipe);
  const options = { settings: { seed }, force: false, keepScored: again, progress, access };
  try {
    const { counts } = await annotateFile(again ? unfinished : collected, annotated, annotator, options);
    const shown = counts.read - NOT_SHOWN.reduce((sum, reason) => sum + (counts.failed[reason] ?? 0), 0);
    // a policy without one well-formed response is not the annotator's fault
    if (shown > 0) requireScores(annotated, counts);
    const { warn_coverage, min_coverage } = recipe.rl;
    const said = `only ${counts.scored} of ${shown} responses were annotated (${listFailures(counts.failed)})`;
    if (counts.scored < min_coverage * shown) throw new RunError(`trm: ${said}`);
    if (counts.scored < warn_coverage * shown) context.say(`trm: ${said}`);
  } catch (error) {
    if (!(error instanceof RunError) || !existsSync(annotated)) throw error;
    await rename(annotated, unfinished);
    throw new RunError(`${error.message}; mend trm.annotator and go on with: ${context.howToResume}`);
  } finally {
    await annotator.dispose();
  }
  await rm(unfinished, { force: true });
}

function listFailures(failed: Record<string, number>): string {
  return Object.entries(failed)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');
}

/** Rows of one file of annotated responses into another. */
async function copyRows(from: string, to: string, wanted: (row: Row<Annotated>) => boolean): Promise<void> {
  async function* lines() {
    for await (const { value, source } of readJsonl(from)) {
      const row = parseRow<Annotated>(annotatedSchema, value, source, from, NOT_LOOKED_AT);
      if (wanted(row)) yield jsonLine(rowOf(row, to));
    }
  }
  await writeFileWhole(to, lines());
}

async function openedOrNone(file: string, recipe: Recipe): Promise<Records | null> {
  return (await stat(file)).size > 0 ? openRecords(file, { access: ownAccess(recipe) }) : null;
}

/** How the policy is asked for responses to judge. */
export function samplingOf({ recipe, seed }: SeedRun): SamplingOptions {
  const { samples, temperature } = recipe.trm;
  return { template: recipe.data.template, samples, temperature, maxTokens: recipe.rl.max_tokens, seed };
}

export async function readHeldOut(run: SeedRun): Promise<ScoredResponse[]> {
  const records = await openRecords(trmFiles(run).heldOut, { access: ownAccess(run.recipe) });
  const rows = await Promise.all(Array.from({ length: records.length }, (_, i) => records.get(i)));
  return rows.map((record) => ({ record, response: record.response!, score: record.score! }));
}
