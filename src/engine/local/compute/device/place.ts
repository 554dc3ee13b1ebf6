/**
 * A parameter store whose numbers are on a device: weights, gradient and AdamW moments are tensors there, a step is a
 * graph. Nothing of their size crosses to the host but when a folder is read or written or a reference is made; the
 * store's arrays are filled for that time only.
 */
import type * as ort from 'onnxruntime-node';
import type { StepOptions } from '../../../types.ts';
import { keepOf, updateOf } from '../adamw.ts';
import { addRows, type Place, widthOf } from '../place.ts';
import { float, int64 } from '../sessions.ts';
import { newTrainingState, type ParameterStore, requireTrainable, view } from '../store.ts';
import { compute, runKernel } from './kernels.ts';

type Tensors = Map<string, ort.Tensor>;

/** By parameter. One that has no gradient, or no moments, has zeros. */
interface State {
  weights: Tensors;
  gradients: Tensors;
  first: Tensors;
  second: Tensors;
}

export function devicePlace(store: ParameterStore): Place {
  const state: State = { weights: new Map(), gradients: new Map(), first: new Map(), second: new Map() };
  const { weights, gradients, first, second } = state;

  const settle = async () => {
    await upload(store, store.weights, weights);
    if (store.trained && store.steps > 0) {
      await upload(store, store.firstMoment, first);
      await upload(store, store.secondMoment, second);
    }
    empty(store);
  };
  return {
    store,
    weights,
    settle,
    async addGradients(more) {
      for (const [name, tensor] of more) await accumulate(gradients, name, tensor);
    },
    async addGradientRows(name, rows, source, at) {
      if (rows.length === 0) return;
      const width = widthOf(store, name);
      const index = [...new Set(Array.from(rows))];
      const slots = new Map(index.map((row, slot) => [row, slot]));
      const sums = new Float32Array(index.length * width);
      const into = Array.from(rows, (row) => slots.get(row)!);
      addRows(sums, into, source, at, width);
      const before = gradients.get(name) ?? (await compute('zeros', weights.get(name)!));
      const more = { index: int64(index), rows: float(sums, [index.length, width]) };
      gradients.set(name, await compute('addRows', before, more));
      before.dispose();
    },
    async step(options) {
      requireTrainable(store);
      const gradNorm = await norm(gradients);
      const applied = Number.isFinite(gradNorm);
      if (applied) await move(store, state, options, gradNorm);
      dispose(gradients);
      return { gradNorm, applied };
    },
    async reading(what, work) {
      const { size } = store;
      store.weights = new Float32Array(size);
      await download(store, weights, store.weights);
      if (what === 'everything' && store.trained) {
        Object.assign(store, newTrainingState(size));
        await download(store, first, store.firstMoment);
        await download(store, second, store.secondMoment);
      }
      try {
        return await work();
      } finally {
        empty(store);
      }
    },
    async writing(work) {
      const { size, steps } = store;
      store.weights = new Float32Array(size);
      if (store.trained) Object.assign(store, newTrainingState(size));
      try {
        await work();
      } catch (error) {
        store.steps = steps;
        empty(store);
        throw error;
      }
      for (const tensors of [gradients, first, second]) dispose(tensors);
      await settle();
    },
    release() {
      for (const tensors of [weights, gradients, first, second]) dispose(tensors);
    },
  };
}

/** Drops the arrays of the host's. */
function empty(store: ParameterStore): void {
  store.weights = new Float32Array(0);
  Object.assign(store, newTrainingState(0));
}

function dispose(tensors: Tensors): void {
  for (const tensor of tensors.values()) tensor.dispose();
  tensors.clear();
}

async function upload(store: ParameterStore, array: Float32Array, to: Tensors): Promise<void> {
  for (const { name, shape } of store.parameters) {
    to.get(name)?.dispose();
    to.set(name, await compute('upload', float(view(store, array, name), shape)));
  }
}

async function download(store: ParameterStore, from: Tensors, into: Float32Array): Promise<void> {
  for (const [name, tensor] of from)
    view(store, into, name).set((await compute('read', tensor)).data as Float32Array);
}

async function accumulate(sums: Tensors, name: string, more: ort.Tensor): Promise<void> {
  const before = sums.get(name);
  if (!before) {
    sums.set(name, more);
    return;
  }
  sums.set(name, await compute('add', before, { y: more }));
  before.dispose();
  more.dispose();
}

async function norm(gradients: Tensors): Promise<number> {
  let sum = await compute('upload', float(new Float32Array(1), [1]));
  for (const gradient of gradients.values()) {
    const more = await compute('addSquares', gradient, { sum });
    sum.dispose();
    sum = more;
  }
  const { data } = await compute('read', sum);
  sum.dispose();
  return Math.sqrt((data as Float32Array)[0]);
}

/** `moveRange` of every parameter, one after another, so that little is there twice. */
async function move(
  store: ParameterStore,
  { weights, gradients, first, second }: State,
  options: StepOptions,
  gradNorm: number,
): Promise<void> {
  store.steps++;
  const { clip, beta1, beta2, rate, eps } = updateOf(options, store.steps, gradNorm);
  for (const { name, shape } of store.parameters) {
    const weight = weights.get(name)!;
    const numbers = [clip, beta1, 1 - beta1, beta2, 1 - beta2, rate, eps, keepOf(shape, options)];
    const given = {
      gradient: gradients.get(name) ?? (await compute('zeros', weight)),
      first: first.get(name) ?? (await compute('zeros', weight)),
      second: second.get(name) ?? (await compute('zeros', weight)),
    };
    const moved = await runKernel('adamW', weight, {
      ...given,
      coefficients: float(Float32Array.from(numbers), [numbers.length]),
    });
    for (const tensor of [weight, ...Object.values(given)]) tensor.dispose();
    gradients.delete(name);
    weights.set(name, moved.weight);
    first.set(name, moved.newFirst);
    second.set(name, moved.newSecond);
  }
}
