/**
 * A benchmark program: named pieces of work on something that was set up once. Alone it measures each and prints a JSON
 * object. With `--serve` it is one side of a comparison: it says what it is, then does what is asked of it, one line of
 * JSON for each line that names a part, until its input ends. The programs in peers/ speak the same way.
 */
import { createInterface } from 'node:readline';
import { measure, timed, type Work } from './timing.ts';

export interface Side {
  /** What runs here: sizes, versions, threads. */
  facts: Record<string, unknown>;
  parts: Record<string, Work>;
  /** Tokens that a part deals with, where its speed is of interest. */
  tokens?: Record<string, number>;
  /** How often a short part is done on end to be measured; once by default. */
  repeat?: Record<string, number>;
  close(): Promise<void>;
}

/** `only`: names of parts, in order; all by default. */
export async function runSide(
  side: Side,
  how: { serve: boolean; reps: number; only?: string[] },
): Promise<void> {
  if (how.serve) await serve(side);
  else await report(side, how.reps, how.only ?? Object.keys(side.parts));
  await side.close();
}

async function serve({ facts, parts, repeat = {} }: Side): Promise<void> {
  say(facts);
  for await (const part of createInterface({ input: process.stdin }))
    say(await measure(parts[part], repeat[part]));
}

async function report(side: Side, reps: number, only: string[]): Promise<void> {
  const { facts, parts, tokens = {}, repeat = {} } = side;
  const result: Record<string, unknown> = { ...facts };
  for (const part of only) {
    if (!(part in parts)) throw new RangeError(`no part ${part}; there are ${Object.keys(parts).join(', ')}`);
    const time = await timed(parts[part], reps, repeat[part]);
    const speed = part in tokens ? { tokens_per_s: Math.round(tokens[part] / time.best_s) } : {};
    result[part] = { ...time, ...speed };
  }
  result.max_rss_mb = Math.round(process.resourceUsage().maxRSS / 1024);
  say(result);
}

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
