/**
 * Sampling with a key/value cache that is written in place. Prompts are computed once each, whatever the number of
 * samples; every row then grows its own part of the cache, so that rows of different lengths need no padding mask.
 */
import type * as ort from 'onnxruntime-node';
import { RunError } from '../../errors.ts';
import { mropeRows } from '../../models/qwen2-5-vl/positions.ts';
import type { DrawnToken, Prompt, Sample, SampleOptions } from '../types.ts';
import { pack, promptRow } from './batch.ts';
import type { LocalModel } from './model.ts';
import { keyedUniform } from './random.ts';
import { type Feeds, float, int32, int64, run } from './sessions.ts';

/** Rows decoded together: more are sampled batch after batch. */
const ROWS = 128;
/** The cache is drawn together when no more than this share of its rows is still being written. */
const COMPACT_BELOW = 0.5;

export async function sample(
  model: LocalModel,
  prompts: Prompt[],
  options: SampleOptions,
): Promise<Sample[][]> {
  const results: Sample[][] = [];
  const perBatch = Math.max(1, Math.floor(ROWS / options.samples));
  for (let from = 0; from < prompts.length; from += perBatch) {
    const keys = prompts.map((_, i) => options.keys?.[i] ?? i).slice(from, from + perBatch);
    const { onToken } = options;
    const shifted = onToken && {
      onToken: (drawn: DrawnToken) => onToken({ ...drawn, prompt: from + drawn.prompt }),
    };
    const batch = prompts.slice(from, from + perBatch);
    results.push(...(await sampleBatch(model, batch, keys, { ...options, ...shifted })));
  }
  return results;
}

/** A response that is being written. */
interface Writing {
  prompt: number;
  index: number;
  sample: Sample;
  /** Position, and place in the cache, of the response's first token. */
  position: number;
  length: number;
}

async function sampleBatch(
  model: LocalModel,
  prompts: Prompt[],
  keys: number[],
  options: SampleOptions,
): Promise<Sample[][]> {
  const rows = prompts.map((prompt) => promptRow(model.packer, prompt, options.maxTokens));
  const slots = rows.reduce((most, r) => Math.max(most, r.ids.length), 0) + options.maxTokens;
  const all: Writing[] = rows.flatMap((row, prompt) =>
    Array.from({ length: options.samples }, (_, index) => ({
      prompt,
      index,
      sample: { tokens: [], logprobs: [], finish: 'length' },
      position: row.next,
      length: row.ids.length,
    })),
  );
  const stop = new Set(options.stop);
  const draw = drawer(options);
  const started = await prefill(model, rows, options.samples, slots);
  let { logits, cache } = started;
  let active = all;
  /** Row of `logits` for each row of the cache; rows that ended are computed on, and not read, until the next compaction. */
  let logitRow = (row: number) => Math.floor(row / options.samples);
  for (let step = 0; step < options.maxTokens; step++) {
    let open = 0;
    for (let row = 0; row < active.length; row++) {
      const { sample, prompt, index } = active[row];
      if (sample.finish === 'stop') continue;
      const { token, logprob } = draw(
        logits,
        logitRow(row) * model.config.text.vocabulary,
        model.config.text.vocabulary,
        () => keyedUniform(options.seed, keys[prompt], index, step),
      );
      sample.tokens.push(token);
      sample.logprobs.push(logprob);
      options.onToken?.({ prompt, sample: index, token });
      if (stop.has(token)) sample.finish = 'stop';
      else open++;
    }
    if (open === 0 || step + 1 === options.maxTokens) break;
    if (open <= COMPACT_BELOW * active.length) {
      const kept = [...active.keys()].filter((row) => active[row].sample.finish !== 'stop');
      cache = compact(cache, kept, active.length);
      active = kept.map((row) => active[row]);
    }
    logits = await decodeStep(model, active, slots, cache);
    logitRow = (row) => row;
  }
  return rows.map((_, p) =>
    all.slice(p * options.samples, (p + 1) * options.samples).map(({ sample }) => sample),
  );
}

/** One tensor [rows, kvHeads, slots, headDim] a layer for keys and for values, under the names that `decode` feeds. */
type Cache = { feeds: Feeds; presents: Map<string, ort.Tensor> };

function newCache(tensors: Iterable<[string, ort.Tensor]>): Cache {
  const cache: Cache = { feeds: {}, presents: new Map() };
  for (const [name, tensor] of tensors) {
    cache.feeds[`past${name}`] = tensor;
    cache.presents.set(`present${name}`, tensor);
  }
  return cache;
}

async function prefill(
  model: LocalModel,
  rows: ReturnType<typeof promptRow>[],
  samples: number,
  slots: number,
) {
  const packed = pack(
    model.packer,
    rows.map((row) => ({ row, completions: [[]] })),
  );
  const out = await run(model.sessions, 'prefill', packed.variant, packed.feeds);
  const { layers, kvHeads, headDim } = model.config.text;
  const block = kvHeads * slots * headDim;
  const tensors: [string, ort.Tensor][] = [];
  for (let layer = 0; layer < layers; layer++) {
    for (const part of ['Key', 'Value']) {
      const from = out[`${part.toLowerCase()}${layer}`].data as Float32Array;
      const data = new Float32Array(rows.length * samples * block);
      rows.forEach((row, i) => {
        const first = i * samples * block;
        for (let t = 0; t < row.ids.length; t++) {
          const last = t === row.ids.length - 1;
          const token = last ? packed.promptTokens + packed.answers[i][0].first : packed.prompts[i].first + t;
          for (let h = 0; h < kvHeads; h++) {
            const at = (token * kvHeads + h) * headDim;
            const to = first + (h * slots + t) * headDim;
            for (let d = 0; d < headDim; d++) data[to + d] = from[at + d];
          }
        }
        for (let s = 1; s < samples; s++) data.copyWithin(first + s * block, first, first + block);
      });
      tensors.push([`${part}${layer}`, float(data, [rows.length * samples, kvHeads, slots, headDim])]);
    }
  }
  return { logits: out.logits.data as Float32Array, cache: newCache(tensors) };
}

/** The cache of the kept rows (ascending), in the memory it had. */
function compact(cache: Cache, kept: readonly number[], rows: number): Cache {
  return newCache(
    Object.entries(cache.feeds).map(([name, { data, dims }]) => {
      const numbers = data as Float32Array;
      const block = numbers.length / rows;
      kept.forEach((row, to) => {
        numbers.copyWithin(to * block, row * block, (row + 1) * block);
      });
      return [
        name.slice('past'.length),
        float(numbers.subarray(0, kept.length * block), [kept.length, ...dims.slice(1)]),
      ];
    }),
  );
}

/** Logits [rows, vocabulary] after one more token a row; writes the cache. */
async function decodeStep(
  model: LocalModel,
  rows: readonly Writing[],
  slots: number,
  cache: Cache,
): Promise<Float32Array> {
  const ids = new Int32Array(rows.length);
  const past = new Int32Array(rows.length);
  const positions = new Int32Array(3 * rows.length);
  rows.forEach(({ sample: { tokens }, position, length }, i) => {
    ids[i] = tokens[tokens.length - 1];
    // a row that ended is fed its last token again at the same place: its cache slot is its own, nobody reads it
    past[i] = length + tokens.length - 1;
    positions.fill(position + tokens.length - 1, 3 * i, 3 * (i + 1));
  });
  const { cos, sin } = mropeRows(positions, model.packer.rope);
  const half = cos.length / rows.length;
  const feeds: Feeds = {
    ...cache.feeds,
    ids: int64(ids),
    cos: float(cos, [rows.length, half]),
    sin: float(sin, [rows.length, half]),
    pastLengths: int32(past),
    totalLength: int32(Int32Array.of(slots), []),
  };
  const out = await run(model.sessions, 'decode', DECODE, feeds, (name) => cache.presents.get(name) ?? null);
  return out.logits.data as Float32Array;
}

const DECODE = { pictures: false, raggedPictures: false, prompts: false, ragged: false };

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
