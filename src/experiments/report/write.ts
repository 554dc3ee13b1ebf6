/** Writes a run folder's report.html from what the folder holds. */
import { join } from 'node:path';
import { writeFileWhole } from '../../data/atomic.ts';
import { buildReport } from './build.ts';
import { type CollectOptions, collectReport } from './collect.ts';

/** Returns the report's path. Throws InputError for a damaged run folder, RunError where it cannot be written. */
export async function writeReport(runDir: string, options: CollectOptions = {}): Promise<string> {
  const file = join(runDir, 'report.html');
  await writeFileWhole(file, buildReport(await collectReport(runDir, options)));
  return file;
}
