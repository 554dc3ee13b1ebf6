/**
 * Sampling with a cache of keys and values (`cache.ts`). Prompts are computed once each, whatever the number of samples.
 */
import { RunError } from '../../../errors.ts';
import { mropeRows } from '../../../models/qwen2-5-vl/positions.ts';
import type { DrawnToken, Prompt, Sample, SampleOptions } from '../../types.ts';
import { type PromptRow, pack, promptRow, workOf } from './batch.ts';
import { type Cache, newGrid, prefillFeeds } from './cache.ts';
import { activationBytes, cacheBytes } from './memory.ts';
import type { LocalModel } from './model.ts';
import { keyedUniform } from './random.ts';
import { float, int64, run } from './sessions.ts';

/** Rows decoded together: more are sampled batch after batch. */
const ROWS = 128;
/** Rows that ended are taken out of the batch when it can shrink to this share. */
const SHRINK_BELOW = 0.5;

export async function sample(
  model: LocalModel,
  prompts: Prompt[],
  options: SampleOptions,
): Promise<Sample[][]> {
  const results: Sample[][] = [];
  for (const rows of batches(model, prompts, options)) {
    const from = results.length;
    const keys = rows.map((_, i) => options.keys?.[from + i] ?? from + i);
    const { onToken } = options;
    const shifted = onToken && {
      onToken: (drawn: DrawnToken) => onToken({ ...drawn, prompt: from + drawn.prompt }),
    };
    results.push(...(await sampleBatch(model, rows, keys, { ...options, ...shifted })));
  }
  return results;
}

/** Consecutive prompts that are sampled together: no more rows than `ROWS`, nor memory than the model may keep (at least one prompt). */
function* batches(
  model: LocalModel,
  prompts: readonly Prompt[],
  { samples, maxTokens }: SampleOptions,
): Generator<PromptRow[]> {
  let rows: PromptRow[] = [];
  const fitsIn = (together: readonly PromptRow[]) => {
    const work = workOf(together.map((row) => ({ row, completions: [[]] })));
    const cache =
      cacheBytes(model.config, together.length, work.longest) +
      cacheBytes(model.config, together.length * samples, maxTokens);
    return (
      together.length * samples <= ROWS &&
      activationBytes(model.config, work, 'nothing') + cache <= model.keep
    );
  };
  for (const prompt of prompts) {
    const row = promptRow(model.packer, prompt, maxTokens);
    if (rows.length > 0 && !fitsIn([...rows, row])) {
      yield rows;
      rows = [];
    }
    rows.push(row);
  }
  if (rows.length > 0) yield rows;
}

/** A response that is being written. */
interface Writing {
  prompt: number;
  index: number;
  sample: Sample;
  /** Position of its first token. */
  position: number;
}

async function sampleBatch(
  model: LocalModel,
  rows: PromptRow[],
  keys: number[],
  options: SampleOptions,
): Promise<Sample[][]> {
  const { vocabulary } = model.config.text;
  const all: Writing[][] = rows.map((row, prompt) =>
    Array.from({ length: options.samples }, (_, index) => ({
      prompt,
      index,
      sample: { tokens: [], logprobs: [], finish: 'length' },
      position: row.next,
    })),
  );
  const stop = new Set(options.stop);
  const draw = drawer(options);
  /** Draws a token for every open response; `logitRow`: where the logits of one stand. Returns whether any goes on. */
  const advance = (grid: Writing[][], logits: Float32Array, logitRow: (p: number, s: number) => number) => {
    let open = false;
    grid.forEach((of, p) => {
      of.forEach(({ sample, prompt, index }, s) => {
        if (sample.finish === 'stop') return;
        const u = () => keyedUniform(options.seed, keys[prompt], index, sample.tokens.length);
        const { token, logprob } = draw(logits, logitRow(p, s) * vocabulary, vocabulary, u);
        sample.tokens.push(token);
        sample.logprobs.push(logprob);
        options.onToken?.({ prompt, sample: index, token });
        if (stop.has(token)) sample.finish = 'stop';
        else open = true;
      });
    });
    return open;
  };

  const packed = pack(
    model.packer,
    rows.map((row) => ({ row, completions: [[]] })),
  );
  const shape = newGrid(model.config, packed, options);
  const first = await run(model.sessions, 'prefill', packed.variant, {
    ...packed.feeds,
    ...prefillFeeds(shape, packed),
  });
  const { caching } = model;
  let cache = await caching.start(shape, first);
  let grid = all;
  let open = advance(grid, first.logits.data as Float32Array, (p) => p);
  for (let step = 1; open && step < options.maxTokens; step++) {
    ({ grid, cache } = await shrink(model, grid, cache));
    const next = await decodeStep(model, grid, cache);
    cache = await caching.append(cache, next);
    const { answers } = cache;
    open = advance(grid, next.logits.data as Float32Array, (p, s) => p * answers + s);
  }
  caching.release(cache);
  return all.map((of) => of.map(({ sample }) => sample));
}

/** Leaves out responses that ended, where that makes the grid of prompts × responses much smaller. */
async function shrink(
  { caching }: LocalModel,
  grid: Writing[][],
  cache: Cache,
): Promise<{ grid: Writing[][]; cache: Cache }> {
  const going = grid.map((of) => of.flatMap(({ sample }, s) => (sample.finish === 'stop' ? [] : [s])));
  const prompts = going.flatMap((of, p) => (of.length > 0 ? [p] : []));
  const answers = Math.max(...going.map((of) => of.length));
  if (prompts.length * answers > SHRINK_BELOW * cache.prompts * cache.answers) return { grid, cache };
  const kept = prompts.map((p) => going[p]);
  return {
    grid: kept.map((of, i) => of.map((s) => grid[prompts[i]][s])),
    cache: await caching.regrid(cache, prompts, kept, answers),
  };
}

/** One more token a response: its logits [prompts·responses, vocabulary], keys and values. */
async function decodeStep(model: LocalModel, grid: readonly Writing[][], cache: Cache) {
  const rows = cache.prompts * cache.answers;
  const ids = new Int32Array(rows);
  const positions = new Int32Array(3 * rows);
  grid.forEach((of, p) => {
    of.forEach(({ sample: { tokens }, position }, s) => {
      const row = p * cache.answers + s;
      ids[row] = tokens[tokens.length - 1];
      positions.fill(position + tokens.length - 1, 3 * row, 3 * (row + 1));
    });
  });
  const { cos, sin } = mropeRows(positions, model.packer.rope);
  const half = cos.length / rows;
  return run(model.sessions, model.caching.graph, DECODE, {
    ...model.caching.feeds(cache),
    ids: int64(ids),
    cos: float(cos, [rows, half]),
    sin: float(sin, [rows, half]),
  });
}

const DECODE = { pictures: false, raggedPictures: false, prompts: false, ragged: false, recompute: false };

type Options = { temperature: number; topP?: number };

/**
 * How a token is drawn from the `count` logits at `from`: greedy at temperature 0, else by inverse distribution function
 * at `u`, within the smallest set of tokens that holds `topP` of the probability. The log-probability is that after
 * temperature, before top-p. Throws RunError where logits are not finite.
 */
function drawer({ temperature, topP = 1 }: Options) {
  const scale = temperature > 0 ? 1 / temperature : 1;
  let powers = new Float64Array(0);
  return (logits: Float32Array, from: number, count: number, u: () => number) => {
    if (powers.length < count) powers = new Float64Array(count);
    let best = 0;
    for (let i = 1; i < count; i++) if (logits[from + i] > logits[from + best]) best = i;
    const top = logits[from + best] * scale;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += powers[i] = Math.exp(logits[from + i] * scale - top);
    if (!Number.isFinite(sum)) throw new RunError('the model gives no finite probabilities; it has diverged');
    const logprob = (token: number) => logits[from + token] * scale - top - Math.log(sum);
    const chosen = (token: number) => ({ token, logprob: logprob(token) });
    if (temperature === 0) return chosen(best);
    if (topP < 1) return chosen(pickNucleus(powers.subarray(0, count), sum, topP, u()));
    let left = u() * sum;
    for (let token = 0; token < count; token++) {
      left -= powers[token];
      if (left < 0) return chosen(token);
    }
    return chosen(best);
  };
}

/** One token from logits at `u`. */
export function pick(logits: Float32Array, options: Options, u: number) {
  return drawer(options)(logits, 0, logits.length, () => u);
}

/** `powers`: exp(logit − greatest), `sum` their sum. */
function pickNucleus(powers: Float64Array, sum: number, topP: number, u: number): number {
  const order = Array.from(powers.keys()).sort((a, b) => powers[b] - powers[a] || a - b);
  let mass = 0;
  let size = 0;
  while (size < order.length && mass < topP) mass += powers[order[size++]] / sum;
  let left = u * mass;
  for (const token of order.slice(0, size)) {
    left -= powers[token] / sum;
    if (left < 0) return token;
  }
  return order[0];
}
