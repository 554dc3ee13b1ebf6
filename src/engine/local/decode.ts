/**
 * Sampling with a key/value cache that is written in place. Prompts are computed once each, whatever the number of
 * samples; every row then grows its own part of the cache, so that rows of different lengths need no padding mask.
 */
import type * as ort from 'onnxruntime-node';
import { RunError } from '../../errors.ts';
import { mropeRows } from '../../models/qwen2-5-vl/positions.ts';
import type { DrawnToken, Prompt, Sample, SampleOptions } from '../types.ts';
import { packPictures, packText, type Row, rowOf } from './batch.ts';
import { featureFeeds, type LocalModel } from './model.ts';
import { keyedUniform } from './random.ts';
import { type Feeds, float, int32, int64, run } from './sessions.ts';

/** Rows decoded together: more are sampled batch after batch. */
const ROWS = 128;

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

async function sampleBatch(
  model: LocalModel,
  prompts: Prompt[],
  keys: number[],
  options: SampleOptions,
): Promise<Sample[][]> {
  const rows = prompts.map((prompt) => rowOf(model.packer, prompt, [], options.maxTokens));
  const slots = rows.reduce((most, r) => Math.max(most, r.ids.length), 0) + options.maxTokens;
  const { logits, cache } = await prefill(model, rows, options.samples, slots);

  const { vocabulary } = model.config.text;
  const out = rows.flatMap((row, p) =>
    Array.from({ length: options.samples }, (_, s) => ({
      sample: { tokens: [], logprobs: [], finish: 'length' } as Sample,
      next: row.next,
      length: row.ids.length,
      draw: (position: number) => keyedUniform(options.seed, keys[p], s, position),
      done: false,
    })),
  );
  const stop = new Set(options.stop);
  let scores = logits;
  let scoreRow = (i: number) => Math.floor(i / options.samples);
  for (let step = 0; step < options.maxTokens; step++) {
    out.forEach((row, i) => {
      if (row.done) return;
      const at = scoreRow(i) * vocabulary;
      const { token, logprob } = pick(scores.subarray(at, at + vocabulary), options, row.draw(step));
      row.sample.tokens.push(token);
      row.sample.logprobs.push(logprob);
      options.onToken?.({
        prompt: Math.floor(i / options.samples),
        sample: i % options.samples,
        token,
      });
      if (!stop.has(token)) return;
      row.done = true;
      row.sample.finish = 'stop';
    });
    if (step + 1 === options.maxTokens || out.every((row) => row.done)) break;
    // a finished row is fed its last token again at the same place: its cache slot is its own, nobody reads it
    const past = Int32Array.from(out, (row) => row.length + row.sample.tokens.length - 1);
    const positions = Int32Array.from(
      out.flatMap((row) => Array(3).fill(row.next + row.sample.tokens.length - 1)),
    );
    scores = await decodeStep(
      model,
      out.map((row) => row.sample.tokens.at(-1)!),
      positions,
      past,
      slots,
      cache,
    );
    scoreRow = (i) => i;
  }
  return rows.map((_, p) =>
    out.slice(p * options.samples, (p + 1) * options.samples).map((row) => row.sample),
  );
}

/** One tensor [rows, kvHeads, slots, headDim] a layer for keys and for values, under the names that `decode` feeds. */
type Cache = { feeds: Feeds; presents: Map<string, ort.Tensor> };

async function prefill(model: LocalModel, rows: Row[], samples: number, slots: number) {
  const pictures = packPictures(model.packer, rows);
  const text = packText(model.packer, rows, pictures, 0);
  const variant = { pictures: pictures !== null, ragged: text.ragged };
  const out = await run(model.sessions, 'prefill', variant, {
    ...text.feeds,
    ...(await featureFeeds(model, pictures, text.featureRow)),
    targetAt: int64(rows.map((row, i) => text.starts[i] + row.ids.length - 1)),
  });
  const { layers, kvHeads, headDim } = model.config.text;
  const cache: Cache = { feeds: {}, presents: new Map() };
  for (let layer = 0; layer < layers; layer++) {
    for (const part of ['Key', 'Value']) {
      const packed = out[`${part.toLowerCase()}${layer}`].data as Float32Array;
      const data = new Float32Array(rows.length * samples * kvHeads * slots * headDim);
      rows.forEach((row, i) => {
        const block = kvHeads * slots * headDim;
        const first = i * samples * block;
        for (let t = 0; t < row.ids.length; t++) {
          for (let h = 0; h < kvHeads; h++) {
            const from = ((text.starts[i] + t) * kvHeads + h) * headDim;
            data.set(packed.subarray(from, from + headDim), first + (h * slots + t) * headDim);
          }
        }
        for (let s = 1; s < samples; s++) data.copyWithin(first + s * block, first, first + block);
      });
      const tensor = float(data, [rows.length * samples, kvHeads, slots, headDim]);
      cache.feeds[`past${part}${layer}`] = tensor;
      cache.presents.set(`present${part}${layer}`, tensor);
    }
  }
  return { logits: out.logits.data as Float32Array, cache };
}

/** Logits [rows, vocabulary] after one more token a row; writes the cache. `past`: tokens in each row's cache so far. */
async function decodeStep(
  model: LocalModel,
  tokens: number[],
  positions: Int32Array,
  past: Int32Array,
  slots: number,
  cache: Cache,
): Promise<Float32Array> {
  const { cos, sin } = mropeRows(positions, model.packer.rope);
  const half = cos.length / tokens.length;
  const feeds: Feeds = {
    ...cache.feeds,
    ids: int64(tokens),
    cos: float(cos, [tokens.length, half]),
    sin: float(sin, [tokens.length, half]),
    pastLengths: int32(past),
    totalLength: int32(Int32Array.of(slots), []),
  };
  const out = await run(
    model.sessions,
    'decode',
    { pictures: false, ragged: false },
    feeds,
    (name) => cache.presents.get(name) ?? null,
  );
  return out.logits.data as Float32Array;
}

/**
 * One token from logits: greedy at temperature 0, else by inverse distribution function at `u`, within the smallest
 * set of tokens that holds `topP` of the probability. The log-probability is that after temperature, before top-p.
 * Throws RunError where logits are not finite.
 */
export function pick(logits: Float32Array, options: { temperature: number; topP?: number }, u: number) {
  const scale = options.temperature > 0 ? 1 / options.temperature : 1;
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  const top = logits[best] * scale;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] * scale - top);
  if (!Number.isFinite(sum)) throw new RunError('the model gives no finite probabilities; it has diverged');
  const logprob = (token: number) => logits[token] * scale - top - Math.log(sum);
  if (options.temperature === 0) return { token: best, logprob: logprob(best) };
  const topP = options.topP ?? 1;
  if (topP < 1) {
    const token = pickNucleus(logits, scale, top, sum, topP, u);
    return { token, logprob: logprob(token) };
  }
  let left = u * sum;
  for (let token = 0; token < logits.length; token++) {
    left -= Math.exp(logits[token] * scale - top);
    if (left < 0) return { token, logprob: logprob(token) };
  }
  return { token: best, logprob: logprob(best) };
}

function pickNucleus(
  logits: Float32Array,
  scale: number,
  top: number,
  sum: number,
  topP: number,
  u: number,
): number {
  const probability = (i: number) => Math.exp(logits[i] * scale - top) / sum;
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  let mass = 0;
  let size = 0;
  while (size < order.length && mass < topP) mass += probability(order[size++]);
  let left = u * mass;
  for (const token of order.slice(0, size)) {
    left -= probability(token);
    if (left < 0) return token;
  }
  return order[0];
}
