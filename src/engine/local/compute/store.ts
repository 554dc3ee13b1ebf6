/**
 * Parameters, their accumulated gradient and the AdamW moments, each one flat float32 array with a view a tensor.
 * Sessions are fed views of the weights, so nothing is copied between a step and the next run; or a device holds what
 * the model is, and the arrays are empty but while they are read or written (`place.ts`).
 *
 * Several lanes (`lanes.ts`) train one model: each has its own weights, since the runtime takes no shared memory, while
 * gradients and moments are in memory that all lanes see.
 */
import type { Parameter } from '../../../models/qwen2-5-vl/parameters.ts';

export interface ParameterStore {
  parameters: Parameter[];
  /** Numbers in all parameters. */
  size: number;
  /** Whether it has gradient and moments. */
  trained: boolean;
  weights: Float32Array;
  grads: Float32Array;
  firstMoment: Float32Array;
  secondMoment: Float32Array;
  /** Whether the gradient is all zero. */
  cleared: boolean;
  /** Number of AdamW steps taken. */
  steps: number;
  /** Name → [from, to) in the flat arrays. */
  ranges: Map<string, [number, number]>;
}

/** Gradient and moments of a trained model. */
export type TrainingState = Pick<ParameterStore, 'grads' | 'firstMoment' | 'secondMoment'>;

/** All zero, in memory that other threads can be shown, or of this thread's own. */
export function newTrainingState(size: number, shared = false): TrainingState {
  const array = () => (shared ? new Float32Array(new SharedArrayBuffer(4 * size)) : new Float32Array(size));
  return { grads: array(), firstMoment: array(), secondMoment: array() };
}

/** Forgets the accumulated gradient. */
export function clearGradient(store: ParameterStore): void {
  store.grads.fill(0);
  store.cleared = true;
}

/** `training: null` leaves out gradient and moments (frozen reference, judge, evaluation). */
export function newStore(
  parameters: Parameter[],
  training: ((size: number) => TrainingState) | null,
): ParameterStore {
  const ranges = new Map<string, [number, number]>();
  let size = 0;
  for (const { name, shape } of parameters) {
    const count = shape.reduce((a, b) => a * b, 1);
    ranges.set(name, [size, size + count]);
    size += count;
  }
  return {
    parameters,
    size,
    trained: training !== null,
    weights: new Float32Array(size),
    ...(training?.(size) ?? newTrainingState(0)),
    cleared: true,
    steps: 0,
    ranges,
  };
}

/** Drops the accumulated gradient and lets AdamW start afresh. */
export function clearTraining(store: ParameterStore): void {
  clearGradient(store);
  store.firstMoment.fill(0);
  store.secondMoment.fill(0);
  store.steps = 0;
}

/** Throws where a frozen model is asked to learn: a defect of the caller. */
export function requireTrainable(store: ParameterStore): void {
  if (!store.trained) throw new Error('this model is frozen: it has neither gradient nor optimizer');
}

/** The part of a flat array that belongs to one parameter. */
export function view(store: ParameterStore, array: Float32Array, name: string): Float32Array {
  const [from, to] = store.ranges.get(name)!;
  return array.subarray(from, to);
}
