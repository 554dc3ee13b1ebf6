/** The questions of a benchmark's published files: all are read and checked before any is asked, without their pictures. */
import { createHash } from 'node:crypto';
import type { ShownPart } from '../asking/asker.ts';
import type { Benchmark, Row } from '../benchmarks/benchmark.ts';
import { fetchPublished, findPublished, type PublishedFiles } from './files.ts';
import { encodedPicture } from './pictures.ts';
import { openRows } from './rows.ts';

export interface PublishedQuestion {
  id: string;
  /** Official fields, which scoring needs. */
  fields: Row;
  /** The beginning of messages about it. */
  source: string;
}

export interface PublishedQuestions extends PublishedFiles {
  list: PublishedQuestion[];
  /** Tells these questions from any others: of all that is written above, SHA-256. */
  digest: string;
  /** What question i shows, in order, pictures read. Throws InputError. */
  parts(i: number): Promise<ShownPart[]>;
}

/**
 * `data`: the folder of the files, a repository on the hub (`hf://datasets/OWNER/NAME`), or null: the one that publishes
 * the benchmark. `roots`: folders in which pictures may lie beside that of the files. Throws InputError: no such files, damaged ones, a row that is not of the published layout.
 */
export async function openPublished(
  benchmark: Pick<Benchmark, 'name' | 'title' | 'asking'>,
  variant: string,
  data: string | null,
  limit: number | null,
  roots: readonly string[] = [],
): Promise<PublishedQuestions> {
  const found =
    data === null || data.startsWith('hf://')
      ? await fetchPublished(benchmark, variant, data ?? undefined)
      : await findPublished(benchmark, variant, data);
  const rows = await openRows(found.files);
  const question = async (i: number) => benchmark.asking.question(await rows.get(i), rows.source(i), variant);
  const list: PublishedQuestion[] = [];
  const digest = createHash('sha256');
  for (let i = 0; i < Math.min(limit ?? rows.length, rows.length); i++) {
    const { id, fields, parts } = await question(i);
    list.push({ id, fields, source: rows.source(i) });
    const text = parts.map((part) => ('text' in part ? part.text : null));
    digest.update(`${JSON.stringify([id, fields, text])}\n`);
  }
  return {
    ...found,
    list,
    digest: digest.digest('hex'),
    async parts(i) {
      const { source } = list[i];
      const shown: ShownPart[] = [];
      for (const part of (await question(i)).parts)
        shown.push(
          'text' in part
            ? part
            : {
                picture: await encodedPicture(part.picture, { folder: found.folder, roots }, source),
                source,
              },
        );
      return shown;
    },
  };
}
