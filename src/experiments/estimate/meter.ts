/** Seconds of engine calls: measured on a model of the recipe's own shape. */
import type { Engine, Prompt, Sequence } from '../../engine/types.ts';
import { SCORES } from '../../trm/prompt.ts';
import type { Call } from './plan.ts';

export interface Meter {
  /** Seconds of one call, with nothing else going on. */
  seconds(call: Call): Promise<number>;
  /** Seconds that the first such call of an engine takes longer: its graphs are made then. */
  firstSeconds(call: Call): Promise<number>;
  /** Seconds to start an engine. */
  startSeconds: number;
  /** How much longer a call takes while another engine is busy as well. */
  contention: number;
}

/** Work of one measured call is cut down to so many parameter-tokens; the rest is multiplied. */
const MOST_WORK = 4e9;
const LONGEST_SAMPLE = 64;
const RUNS = 2;
/** As many as there are scores; which ones makes no difference. */
const SCORE_IDS = SCORES.map((_, i) => i);

/** Measures on an engine that can be trained; `start` makes another of its kind. */
export async function measuredMeter(
  start: () => Promise<Engine>,
  typical: Call,
): Promise<
  Meter & {
    dispose: () => Promise<void>;
  }
> {
  const before = performance.now();
  const engine = await start();
  const startSeconds = (performance.now() - before) / 1000;
  const known = new Map<Call, Promise<{ first: number; again: number }>>();
  const measure = (call: Call) => {
    const found = known.get(call);
    if (found) return found;
    const measured = measureCall(engine, call);
    known.set(call, measured);
    return measured;
  };
  return {
    seconds: async (call) => (await measure(call)).again,
    firstSeconds: async (call) => {
      const { first, again } = await measure(call);
      return Math.max(0, first - again);
    },
    startSeconds,
    contention: await contentionOf(engine, start, typical),
    dispose: () => engine.dispose(),
  };
}

async function measureCall(engine: Engine, call: Call): Promise<{ first: number; again: number }> {
  const { part, times } = cutDown(call, engine.capabilities.parameters);
  const first = await timed(() => run(engine, part));
  const again = await timed(async () => {
    for (let i = 0; i < RUNS; i++) await run(engine, part);
  });
  return { first: times * first, again: (times * again) / RUNS };
}

/** The same call at once on two engines against alone on one. */
async function contentionOf(engine: Engine, start: () => Promise<Engine>, call: Call): Promise<number> {
  const other = await start();
  try {
    const { part } = cutDown(call, engine.capabilities.parameters);
    await Promise.all([run(engine, part), run(other, part)]);
    const alone = await timed(() => run(engine, part));
    const together = await timed(() => Promise.all([run(engine, part), run(other, part)]));
    return Math.max(1, together / alone);
  } finally {
    await other.dispose();
  }
}

async function run(engine: Engine, call: Call): Promise<unknown> {
  switch (call.kind) {
    case 'backward':
      return engine.backward(
        call.sequences,
        call.sequences.map(({ completion }) => completion.map(() => 0)),
      );
    case 'logprobs':
      return engine.logprobs(call.sequences);
    case 'judge':
      return engine.logprobs(call.sequences, { candidates: SCORE_IDS });
    case 'sample': {
      const { samples, maxTokens } = call;
      // nothing stops a response early: as long as the longest of a batch
      return engine.sample(call.prompts, { samples, maxTokens, temperature: 1, seed: 0, stop: [] });
    }
    case 'step':
      return engine.step({
        learningRate: 0,
        betas: [0.9, 0.99],
        eps: 1e-8,
        weightDecay: 0,
        maxGradNorm: 1,
      });
  }
}

/** A call of bearable size, and how often it makes up the whole. */
function cutDown(call: Call, parameters: number): { part: Call; times: number } {
  if (call.kind === 'step') return { part: call, times: 1 };
  if (call.kind === 'sample') {
    const maxTokens = Math.min(call.maxTokens, LONGEST_SAMPLE);
    const rowTokens = (prompt: Prompt) => promptTokens(prompt) + call.samples * maxTokens;
    const prompts = fitting(call.prompts, rowTokens, parameters);
    const times = (call.prompts.length / prompts.length) * (call.maxTokens / maxTokens);
    return { part: { ...call, prompts, maxTokens }, times };
  }
  const sequences = fitting(call.sequences, sequenceTokens, parameters);
  return { part: { ...call, sequences }, times: call.sequences.length / sequences.length };
}

/** The first items whose tokens together are bearable, one at least. */
function fitting<T>(items: T[], tokensOf: (item: T) => number, parameters: number): T[] {
  let tokens = 0;
  const end = items.findIndex((item) => {
    tokens += tokensOf(item);
    return tokens * parameters > MOST_WORK;
  });
  return end === -1 ? items : items.slice(0, Math.max(1, end));
}

function sequenceTokens({ prompt, completion }: Sequence): number {
  return promptTokens(prompt) + completion.length;
}

/** Pictures of small models are small: they count for a few tokens. */
function promptTokens({ chunks }: Prompt): number {
  return chunks.reduce((sum, chunk) => sum + ('tokens' in chunk ? chunk.tokens.length : 16), 0);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
