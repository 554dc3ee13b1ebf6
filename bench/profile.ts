/**
 * Where an engine pass spends its time: kernel seconds by operator, from ONNX Runtime's own profiler.
 *
 *     npx tsx bench/profile.ts S backward|forward|sample [--threads 1] [--budget 8192] [--top 15] [--shapes]
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { sample } from '../src/engine/local/compute/decode.ts';
import { backward, logprobs, newModel } from '../src/engine/local/compute/model.ts';
import { view } from '../src/engine/local/compute/store.ts';
import { initialise } from '../src/models/qwen2-5-vl/initialise.ts';
import { smallPictureProcessor } from '../src/models/qwen2-5-vl/processor.ts';
import { batchOf, configOf, SHAPES, type ShapeName } from './shapes.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1' },
    budget: { type: 'string', default: '8192' },
    top: { type: 'string', default: '15' },
    shapes: { type: 'boolean', default: false },
  },
});
const [name = 'XS', part = 'backward'] = positionals;
const shape = SHAPES[name as ShapeName];
const config = configOf(shape);
const model = newModel(config, smallPictureProcessor(config), {
  provider: 'cpu',
  threads: Number(values.threads),
  trainable: true,
  tokenBudget: Number(values.budget),
});
for (const [parameter, { data }] of initialise(config, 0))
  view(model.store, model.store.weights, parameter).set(data);
const prefix = join(tmpdir(), `sophia-profile-${process.pid}`);
Object.assign(model.sessions.options, { enableProfiling: true, profileFilePrefix: prefix });

const { sequences, prompts, weights } = batchOf(shape);
const parts: Record<string, () => Promise<unknown>> = {
  forward: () => logprobs(model, sequences, {}),
  backward: () => backward(model, sequences, weights),
  sample: () =>
    sample(model, prompts, { samples: 1, maxTokens: shape.completion, temperature: 1, seed: 0, stop: [] }),
};
await parts[part]();
const start = performance.now();
await parts[part]();
const wall = (performance.now() - start) / 1000;

interface Event {
  cat: string;
  name: string;
  dur: number;
  ts: number;
  args: { op_name?: string; input_type_shape?: Record<string, number[]>[] };
}
for (const made of model.sessions.made.values()) {
  const { session } = await made;
  session.endProfiling();
  await session.release();
}
const files = readdirSync(tmpdir()).filter((f) => f.startsWith(basename(prefix)));
const byOp = new Map<string, { us: number; calls: number }>();
let runs = 0;
for (const file of files) {
  const events = JSON.parse(readFileSync(join(tmpdir(), file), 'utf8')) as Event[];
  rmSync(join(tmpdir(), file));
  for (const { cat, name: event, dur, args } of events) {
    if (event === 'model_run') runs += dur;
    if (cat !== 'Node' || !event.endsWith('_kernel_time')) continue;
    const shapes = values.shapes
      ? ` ${(args.input_type_shape ?? []).map((s) => Object.values(s).flat().join('x')).join(' ')}`
      : '';
    const key = `${args.op_name}${shapes}`;
    const sum = byOp.get(key) ?? { us: 0, calls: 0 };
    byOp.set(key, { us: sum.us + dur, calls: sum.calls + 1 });
  }
}
const total = [...byOp.values()].reduce((s, { us }) => s + us, 0);
console.log(
  `${name} ${part}: ${wall.toFixed(3)} s a call; two calls: ${(runs / 1e6).toFixed(3)} s in sessions, ${(total / 1e6).toFixed(3)} s in kernels`,
);
for (const [op, { us, calls }] of [...byOp].sort((a, b) => b[1].us - a[1].us).slice(0, Number(values.top)))
  console.log(
    `${((100 * us) / total).toFixed(1).padStart(5)} %  ${(us / 1e6).toFixed(4)} s  ${String(calls).padStart(6)}  ${op}`,
  );
