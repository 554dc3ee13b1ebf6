/** What the commands about sets of records have in common. */
import { recordFiles } from '../../data/records/reader.ts';

export const FILES = 'records: a file, a folder of shards, a pattern with *, or hf://datasets/OWNER/NAME';

/** The files of all sets that are named, each once. Throws InputError. */
export async function filesOf(sets: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const set of sets) files.push(...(await recordFiles(set)));
  return [...new Set(files)];
}
