/**
 * Where the numbers of a parameter store are between calls: in the arrays of the store, which sessions are fed views of
 * (`hostPlace`), or on a device (`device/place.ts`). What a model does with them reads the same for both.
 */
import type * as ort from 'onnxruntime-node';
import type { StepOptions, StepResult } from '../../types.ts';
import { adamWStep } from './adamw.ts';
import { float } from './sessions.ts';
import { type ParameterStore, view } from './store.ts';

export interface Place {
  store: ParameterStore;
  /** Every parameter as sessions are fed it; a step or `settle` changes the entries. */
  weights: ReadonlyMap<string, ort.Tensor>;
  /** Takes what was written into the store's arrays for what the model is: call it when they are filled first. */
  settle(): Promise<void>;
  /** Adds up gradients, by parameter; the tensors are the place's from then on. */
  addGradients(gradients: ReadonlyMap<string, ort.Tensor>): Promise<void>;
  /** Adds rows of `source` to the gradient of a matrix: row `at[i]` to row `rows[i]`, one after another. */
  addGradientRows(
    name: string,
    rows: ArrayLike<number>,
    source: Float32Array,
    at: ArrayLike<number>,
  ): Promise<void>;
  /** `adamWStep` of the accumulated gradient. */
  step(options: StepOptions): Promise<StepResult>;
  /** Does something that reads the store's weights and, with 'everything', its moments. */
  reading<T>(what: 'weights' | 'everything', work: () => Promise<T>): Promise<T>;
  /** Does something that writes all of the store's weights and moments; where it throws on a device, nothing changes there. */
  writing(work: () => Promise<void>): Promise<void>;
  release(): void;
}

export function hostPlace(store: ParameterStore): Place {
  const { parameters } = store;
  return {
    store,
    weights: new Map(
      parameters.map(({ name, shape }) => [name, float(view(store, store.weights, name), shape)]),
    ),
    settle: async () => {},
    async addGradients(gradients) {
      for (const [name, { data }] of gradients) {
        const into = view(store, store.grads, name);
        const from = data as Float32Array;
        if (store.cleared) into.set(from);
        else for (let i = 0; i < from.length; i++) into[i] += from[i];
      }
      store.cleared = false;
    },
    async addGradientRows(name, rows, source, at) {
      addRows(view(store, store.grads, name), rows, source, at, widthOf(store, name));
    },
    step: async (options) => adamWStep(store, options),
    reading: (_, work) => work(),
    writing: (work) => work(),
    release: () => {},
  };
}

/** Numbers in a row of a matrix. */
export function widthOf({ parameters }: ParameterStore, name: string): number {
  return parameters.find((p) => p.name === name)!.shape[1];
}

/** target[rows[i]] += source[at[i]], rows of `width` numbers, in order. */
export function addRows(
  target: Float32Array,
  rows: ArrayLike<number>,
  source: Float32Array,
  at: ArrayLike<number>,
  width: number,
): void {
  for (let i = 0; i < rows.length; i++) {
    const to = rows[i] * width;
    const from = at[i] * width;
    for (let k = 0; k < width; k++) target[to + k] += source[from + k];
  }
}
