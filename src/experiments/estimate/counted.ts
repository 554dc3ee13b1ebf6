/**
 * Seconds of a large model's calls: counted from its configuration, at the speed a smaller model of the same
 * architecture reaches here. Kaplan et al. (arXiv 2001.08361): 2 operations a parameter and token forward, 4 backward;
 * what attention adds with a sequence's length is left out.
 */
import type { Engine, Picture, Prompt, Sequence } from '../../engine/types.ts';
import type { Qwen25VlConfig } from '../../models/qwen2-5-vl/config.ts';
import { parameters } from '../../models/qwen2-5-vl/parameters.ts';
import { type ProcessorConfig, smartResize } from '../../models/qwen2-5-vl/processor.ts';
import type { Meter } from './meter.ts';
import type { Call } from './plan.ts';

/** A model's configuration and how it cuts pictures. */
export interface Model {
  config: Qwen25VlConfig;
  processor: ProcessorConfig;
}

/** One decoder layer of a middling width: large enough for its matrix products to run at full speed. */
export const yardstick = (like: Qwen25VlConfig): Qwen25VlConfig => ({
  ...like,
  text: {
    ...like.text,
    hidden: 1024,
    layers: 1,
    heads: 8,
    kvHeads: 2,
    headDim: 128,
    intermediate: 4096,
    vocabulary: 512,
    mropeSection: [16, 24, 24],
    tied: true,
  },
  vision: {
    ...like.vision,
    depth: 1,
    hidden: 32,
    heads: 1,
    headDim: 32,
    intermediate: 32,
    outHidden: 1024,
    fullAttentionBlocks: [0],
  },
  tokens: { imagePad: 0, videoPad: null, visionStart: 1, visionEnd: 2, bos: null, eos: 3, pad: 3 },
});

/** Parameters by how they are used: on every token, on every patch, on every token that is predicted. */
export function sizesOf({ config }: Model) {
  let [all, decoder, vision] = [0, 0, 0];
  for (const { name, shape } of parameters(config)) {
    const count = shape.reduce((a, b) => a * b, 1);
    all += count;
    if (name.startsWith('visual.')) vision += count;
    else if (name.startsWith('model.layers.')) decoder += count;
  }
  return { all, decoder, vision, head: config.text.vocabulary * config.text.hidden };
}

const TOKENS = 128;
const MANY_ROWS = 48;
/** Responses that are written at once. */
export const ROWS_AT_ONCE = 128;

/**
 * Measures the yardstick on an engine and counts for `model` from there; `contention` as in `Meter`. `adapters`: how many
 * parameters the adapters of both have, where these are what is trained.
 */
export async function countedMeter(
  model: Model,
  engine: Engine,
  adapters: { model: number; yardstick: number } | null,
  contention: number,
): Promise<Meter> {
  const size = engine.capabilities.parameters - (adapters?.yardstick ?? 0);
  const sequence: Sequence = {
    prompt: { chunks: [{ tokens: Array<number>(TOKENS - 1).fill(5) }] },
    completion: [5],
  };
  const decode = (samples: number, maxTokens: number) =>
    twice(() =>
      engine.sample([{ chunks: [{ tokens: [5] }] }], {
        samples,
        maxTokens,
        temperature: 0,
        seed: 0,
        stop: [],
      }),
    );
  /** Seconds a parameter of one more token for each of some rows. */
  const decodeSeconds = async (rows: number) =>
    ((await decode(rows, 9)) - (await decode(rows, 1))) / (size * 8);
  const forward = (await twice(() => engine.logprobs([sequence]))) / (size * TOKENS);
  const backward = (await twice(() => engine.backward([sequence], [[0]]))) / (size * TOKENS);
  const oneRow = await decodeSeconds(1);
  const aRow = Math.max(0, (await decodeSeconds(MANY_ROWS)) - oneRow) / (MANY_ROWS - 1);
  const step = {
    learningRate: 0,
    betas: [0.9, 0.99] as [number, number],
    eps: 1e-8,
    weightDecay: 0,
    maxGradNorm: 1,
  };
  const update = (await twice(() => engine.step(step))) / (adapters?.yardstick ?? size);

  const { all, decoder, vision, head } = sizesOf(model);
  /** Parameter-tokens of some sequences. */
  const work = (sequences: readonly Sequence[]) =>
    sequences.reduce((sum, { prompt, completion }) => {
      const { tokens, patches } = lengthOf(prompt, model);
      return sum + (tokens + completion.length) * decoder + patches * vision + completion.length * head;
    }, 0);
  const seconds = (call: Call): number => {
    switch (call.kind) {
      case 'step':
        return update * (adapters?.model ?? all);
      case 'backward':
        return backward * work(call.sequences);
      case 'logprobs':
        return forward * work(call.sequences);
      case 'judge':
        // log p of the tokens, then of the candidates in their place
        return 2 * forward * work(call.sequences);
      case 'sample': {
        const read = forward * work(call.prompts.map((prompt) => ({ prompt, completion: [0] })));
        const rows = call.prompts.length * call.samples;
        const atOnce = Math.min(rows, ROWS_AT_ONCE);
        const aStep = (decoder + head) * (oneRow + (atOnce - 1) * aRow);
        return read + (rows / atOnce) * call.maxTokens * aStep;
      }
    }
  };
  return {
    seconds: async (call) => seconds(call),
    firstSeconds: async () => 0,
    startSeconds: (4 * all) / READ_BYTES_A_SECOND,
    contention,
  };
}

const READ_BYTES_A_SECOND = 5e8;

/** A prompt's tokens with its pictures', and its pictures' patches. */
export function lengthOf({ chunks }: Prompt, model: Model): { tokens: number; patches: number } {
  let [tokens, patches] = [0, 0];
  for (const chunk of chunks) {
    if ('tokens' in chunk) tokens += chunk.tokens.length;
    else {
      const count = patchesOf(chunk.image, model.processor);
      patches += count;
      tokens += count / model.processor.merge ** 2;
    }
  }
  return { tokens, patches };
}

function patchesOf({ width, height }: Picture, processor: ProcessorConfig): number {
  const size = processor.resize ? smartResize(width, height, processor) : { width, height };
  return (size.width * size.height) / processor.patch ** 2;
}

/** Seconds of the second of two runs: the first makes the graphs. */
async function twice(work: () => Promise<unknown>): Promise<number> {
  await work();
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
