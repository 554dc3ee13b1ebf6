/**
 * Times the local engine on a Qwen2.5-VL of a given size: log-probabilities, gradient, gradient + AdamW, sampling.
 * The shapes are those of peers/torch_lm.py, so that the two can be divided by one another.
 *
 *     npx tsx bench/engine.ts XS [--threads 2] [--provider cpu] [--reps 5] [--only forward,backward,step,sample,watch]
 *
 * Prints one JSON object: best and median seconds of each part, process CPU seconds of the best, tokens a second.
 * `watch` says where a step's time goes between threads (see watch.ts).
 */
import { parseArgs } from 'node:util';
import { OPTIONS, randomEngine } from './program.ts';
import { type Batch, batchOf, SHAPES, type ShapeName } from './shapes.ts';
import { runSide } from './side.ts';
import { watched } from './watch.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...OPTIONS,
    only: { type: 'string', default: 'forward,backward,step,sample' },
  },
});
const name = (positionals[0] ?? 'XS') as ShapeName;
const shape = SHAPES[name];
const threads = Number(values.threads);
const engine = await randomEngine(shape, values);
const { sequences, prompts, weights }: Batch = batchOf(shape);
const tokens = shape.rows * (shape.prompt + shape.completion);
const optimizer = {
  learningRate: 1e-6,
  betas: [0.9, 0.95] as [number, number],
  eps: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
};
const step = async () => {
  await engine.backward(sequences, weights);
  await engine.step(optimizer);
};
const sampling = {
  samples: 1,
  maxTokens: shape.completion,
  temperature: 1,
  seed: 0,
  stop: [],
};
await runSide(
  {
    facts: { name, threads, parameters: engine.capabilities.parameters },
    parts: {
      forward: () => engine.logprobs(sequences),
      backward: () => engine.backward(sequences, weights),
      step,
      sample: () => engine.sample(prompts, sampling),
      watch: () => watched(step),
    },
    tokens: { forward: tokens, backward: tokens, step: tokens, sample: shape.rows * shape.completion },
    close: () => engine.dispose(),
  },
  { serve: values.serve, reps: Number(values.reps), only: values.only.split(',') },
);
