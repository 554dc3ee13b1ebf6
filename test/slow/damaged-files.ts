/** Opens damaged copies of a file, one after another, and prints what came of each: `ok`, `refused` or what broke. */
import { readFileSync, writeFileSync } from 'node:fs';
import { openRecords } from '../../src/data/records/reader.ts';
import { InputError } from '../../src/errors.ts';
import { damaged } from '../data/damage.ts';

const [source, file, from, to] = process.argv.slice(2);
const bytes = readFileSync(source);
const tally: Record<string, number> = {};
let slowest = 0;
for (let number = Number(from); number < Number(to); number++) {
  writeFileSync(file, damaged(bytes, number));
  const started = performance.now();
  let what = 'ok';
  try {
    const records = await openRecords(file);
    for (let i = 0; i < Math.min(records.length, 100); i++) await records.get(i);
  } catch (error) {
    const fine = error instanceof InputError && !error.message.includes('\n');
    what = fine ? 'refused' : `${number}: ${(error as Error).stack}`;
  }
  tally[what] = (tally[what] ?? 0) + 1;
  slowest = Math.max(slowest, performance.now() - started);
}
console.log(JSON.stringify({ tally, slowest, rssMb: process.resourceUsage().maxRSS / 1024 }));
