/** `sophia trm annotate`'s work: the rows of a file with a judge's scores into another; goes on where it was stopped. */
import { countRows, readJsonl } from '../data/jsonl.ts';
import type { PictureAccess } from '../data/pictures/access.ts';
import { type Done, writeResumable } from '../data/resumable-jsonl.ts';
import { InputError, RunError } from '../errors.ts';
import { type AnnotateOptions, type Annotator, annotate, BATCH, NOT_SHOWN, REFUSED } from './annotate.ts';
import type { StageOptions } from './collect-file.ts';
import { countFailure, mostFrequent, reasonOf } from './failure-counts.ts';
import {
  type Annotated,
  annotatedSchema,
  type Collected,
  collectedSchema,
  parseRow,
  type Row,
  rowOf,
} from './rows.ts';

export interface AnnotateCounts {
  read: number;
  scored: number;
  /** Rows without a score, by the beginning of their failure. */
  failed: Record<string, number>;
}

interface Reading {
  /** What rows may name as pictures. */
  access?: PictureAccess;
}

/** With a slow judge, rows are written after so many milliseconds, so that little is lost. */
const MS = 5000;

/**
 * Writes `out`; where nothing could be scored, it says why of each row. Throws InputError as writeResumable does and
 * where the judge refuses all it is first asked.
 */
export async function annotateFile(
  file: string,
  out: string,
  judge: Annotator,
  { settings, force, progress, access, ...options }: StageOptions & AnnotateOptions & Reading,
): Promise<Done<AnnotateCounts>> {
  const total = await countRows(file);
  const counts: AnnotateCounts = { read: 0, scored: 0, failed: {} };
  return writeResumable(out, { settings, counts, force }, async (part) => {
    progress?.(part.inputs, total);
    const now = structuredClone(part.counts);
    let chunk: Row<Annotated>[] = [];
    let began = performance.now();
    let refusal: string | null = null;
    const flush = async () => {
      const rows = chunk.map((row) => rowOf(row, out));
      chunk = [];
      if (refusal !== null && now.scored === 0 && onlyRefused(now.failed)) throw new InputError(refusal);
      await part.append(rows, now.read, structuredClone(now));
      progress?.(now.read, total);
      began = performance.now();
    };
    // batches of a judge who takes together begin at multiples of their size, so no chunk may end within one
    const mayEndAnywhere = judge.takes === 'singly';
    try {
      for await (const row of annotate(rowsOf(file, part.inputs, options, access), judge, options)) {
        const { score, failure } = row.facts;
        now.read++;
        if (score !== null) now.scored++;
        else countFailure(now.failed, failure!);
        if (failure !== null && reasonOf(failure) === REFUSED) refusal ??= `${row.record.source}: ${failure}`;
        chunk.push(row);
        const late = mayEndAnywhere && performance.now() - began > MS;
        if (now.read % BATCH === 0 || late) await flush();
      }
    } catch (error) {
      // what has been scored is kept; the error is what there is to say
      if (mayEndAnywhere && chunk.length > 0) await flush().catch(() => {});
      throw error;
    }
    await flush();
  });
}

/** Throws RunError where nothing could be scored, with what the judge's failures were if it was shown anything. */
export function requireScores(out: string, { read, scored, failed }: AnnotateCounts): void {
  if (scored > 0) return;
  const shown = Object.entries(failed).filter(([reason]) => !NOT_SHOWN.includes(reason));
  const why = mostFrequent(shown.length > 0 ? Object.fromEntries(shown) : failed);
  throw new RunError(`${out}: not one of ${read} responses was scored (${why}); its rows say why`);
}

async function* rowsOf(
  file: string,
  from: number,
  { keepScored = false }: AnnotateOptions,
  access: PictureAccess | undefined,
): AsyncGenerator<Row<Collected>> {
  const schema = keepScored ? annotatedSchema : collectedSchema;
  for await (const { value, source } of readJsonl(file, from))
    yield parseRow<Collected>(schema, value, source, file, access);
}

/** Whether all that a judge was shown was refused. */
function onlyRefused(failed: Record<string, number>): boolean {
  return Object.keys(failed).every((reason) => reason === REFUSED || NOT_SHOWN.includes(reason));
}
