/**
 * A run folder whose rollouts were not sampled but made: questions of the seeing world with responses of every quality, by
 * chance keyed by (seed, question, sample). For trying the stages of the TRM's data on any number of rows.
 */
import { rename } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { openRecords } from '../src/data/records/reader.ts';
import { writeRollouts } from '../src/data/run-files.ts';
import type { RolloutGroup, RolloutResponse } from '../src/data/run-folder.ts';
import { writeSplit } from '../src/experiments/world-files.ts';
import { outcomeReward } from '../src/rewards/outcome.ts';
import { keyed, type Random } from '../src/worlds/random.ts';
import { CONTENTS, parseWorld, responseText, type SeeingWorld, traceOf } from '../src/worlds/seeing/index.ts';

/** Responses a question, and questions a step. */
const SAMPLES = 8;
const QUESTIONS = 50;

/** Writes `dir`/data/rl.jsonl and `dir`/rollouts; returns the number of responses. */
export async function writeMadeRun(dir: string, questions: number, seed = 0): Promise<number> {
  const data = join(dir, 'data');
  const { records: written } = await writeSplit({ dir: data, seed, split: 'rl', count: questions });
  await rename(written, join(data, 'rl.jsonl'));
  const records = await openRecords(join(data, 'rl.jsonl'));
  for (let from = 0, step = 1; from < questions; from += QUESTIONS, step++) {
    const groups: RolloutGroup[] = [];
    for (let i = from; i < Math.min(questions, from + QUESTIONS); i++) {
      const { problem_id, problem, problem_type, picture, solution, ...record } = await records.get(i);
      const world = parseWorld(record);
      const responses = Array.from({ length: SAMPLES }, (_, sample): RolloutResponse => {
        const random = keyed('made rollouts', seed, i, sample);
        const finish = random.chance(0.02) ? 'length' : 'stop';
        const whole = responseOf(world, random);
        const text = finish === 'length' ? whole.slice(0, whole.indexOf('</think>')) : whole;
        const said = outcomeReward({ problemType: problem_type, response: text, solution });
        return {
          text,
          tokens: text.split(' ').length,
          finish,
          format_ok: said.formatOk,
          outcome: said.reward,
          right: said.exact,
          thinking: null,
          failure: null,
          reward: said.reward,
          advantage: 0,
          oracle: null,
        };
      });
      groups.push({
        step,
        problem_id,
        problem,
        problem_type,
        path: picture && relative(dir, picture),
        solution,
        mu_c: null,
        mu_w: null,
        gamma: null,
        anneal: 1,
        alpha: 0,
        tied: false,
        responses,
      });
    }
    await writeRollouts(dir, step, groups);
  }
  return SAMPLES * questions;
}

function responseOf(world: SeeingWorld, random: Random): string {
  const style = random.pick(['listing', 'listing', 'listing', 'listing', 'shortcut', 'sloppy'] as const);
  const trace = traceOf(world, style, random);
  const spoilt = style === 'listing' ? spoil(trace.process, random) : trace.process;
  const text = responseText({ ...trace, process: spoilt });
  if (random.chance(0.03)) return text.replace('</think>', '');
  return random.chance(0.01) ? responseText({ ...trace, process: 'so '.repeat(40) }) : text;
}

/** Statements `cell content` dropped, made false or repeated, as many as chance will have it. */
function spoil(process: string, random: Random): string {
  const much = random.uniform() * 0.8;
  const [seen, concluded] = process.split(/ (?=so )/);
  const statements = seen.split(/ (?=(?:[A-C] )?[a-d][1-4] )/).flatMap((statement) => {
    if (!random.chance(much)) return [statement];
    const [name] = /^(?:[A-C] )?[a-d][1-4]/.exec(statement) ?? [''];
    return random.pick([[], [statement, statement], [`${name} ${random.pick(CONTENTS)}`]]);
  });
  return [...statements, concluded].join(' ');
}
