import { describe, expect, it } from 'vitest';
import { adamWStep } from '../../src/engine/local/compute/adamw.ts';
import {
  newStore,
  newTrainingState,
  type ParameterStore,
  view,
} from '../../src/engine/local/compute/store.ts';
import type { StepOptions } from '../../src/engine/types.ts';
import { normals } from '../../src/models/random.ts';
import { greatestDifference } from './golden-cases.ts';

const options: StepOptions = {
  learningRate: 0.01,
  betas: [0.9, 0.97],
  eps: 1e-6,
  weightDecay: 0.1,
  maxGradNorm: 1.5,
};
const shapes = { matrix: [3, 4], vector: [5], tensor: [2, 2, 2] };

function newParameters(): ParameterStore {
  const parameters = Object.entries(shapes).map(([name, shape]) => ({
    name,
    shape,
    role: 'matrix' as const,
    fanIn: 1,
  }));
  const store = newStore(parameters, newTrainingState);
  store.weights.set(normals(1, 'weights', store.weights.length));
  return store;
}
const gradient = (step: number, size: number) => normals(2, `gradient ${step}`, size);

/** The algorithm box of torch.optim.AdamW and torch.nn.utils.clip_grad_norm_, in float64, minimising −objective. */
function torchAdamW(weights: number[], decays: boolean[], gradients: number[][], o: StepOptions): number[] {
  const theta = [...weights];
  const m = theta.map(() => 0);
  const v = theta.map(() => 0);
  gradients.forEach((ascent, step) => {
    const t = step + 1;
    const total = Math.sqrt(ascent.reduce((sum, g) => sum + g * g, 0));
    const coefficient = o.maxGradNorm > 0 ? Math.min(1, o.maxGradNorm / (total + 1e-6)) : 1;
    ascent.forEach((up, i) => {
      const g = -up * coefficient;
      if (decays[i]) theta[i] -= o.learningRate * o.weightDecay * theta[i];
      m[i] = o.betas[0] * m[i] + (1 - o.betas[0]) * g;
      v[i] = o.betas[1] * v[i] + (1 - o.betas[1]) * g ** 2;
      const mHat = m[i] / (1 - o.betas[0] ** t);
      const vHat = v[i] / (1 - o.betas[1] ** t);
      theta[i] -= (o.learningRate * mHat) / (Math.sqrt(vHat) + o.eps);
    });
  });
  return theta;
}

function run(store: ParameterStore, gradients: number[][], o: StepOptions) {
  return gradients.map((g) => {
    store.grads.set(g);
    return adamWStep(store, o);
  });
}

describe('AdamW', () => {
  const size = newParameters().weights.length;
  const gradients = [0, 1, 2, 3, 4].map((step) => [...gradient(step, size)]);
  const decays = Object.values(shapes).flatMap((shape) =>
    Array(shape.reduce((a, b) => a * b)).fill(shape.length > 1),
  );

  it.each([
    ['with clipping', options],
    ['without clipping', { ...options, maxGradNorm: 0 }],
    ['with a bound that is never reached', { ...options, maxGradNorm: 1e9 }],
    ['with an eps that matters', { ...options, eps: 0.1 }],
  ])('follows torch.optim.AdamW, decay on matrices only, %s', (_, o) => {
    const store = newParameters();
    const expected = torchAdamW([...store.weights], decays, gradients, o);
    run(store, gradients, o);
    expect(greatestDifference(store.weights, expected)).toBeLessThan(1e-6);
    expect(store.steps).toBe(5);
  });

  it('climbs: the first step moves every weight by the learning rate towards the gradient', () => {
    const store = newParameters();
    const before = store.weights.slice();
    run(store, gradients.slice(0, 1), { ...options, weightDecay: 0, eps: 1e-12, maxGradNorm: 0 });
    store.weights.forEach((w, i) => {
      expect(w - before[i]).toBeCloseTo(0.01 * Math.sign(gradients[0][i]), 6);
    });
  });

  it('returns the norm before clipping and clears the gradient', () => {
    const store = newParameters();
    const [{ gradNorm, applied }] = run(store, [Array(size).fill(3)], options);
    expect(gradNorm).toBeCloseTo(3 * Math.sqrt(size), 10);
    expect(applied).toBe(true);
    expect(store.grads.every((g) => g === 0)).toBe(true);
  });

  it('shrinks matrices and leaves vectors alone where there is no gradient', () => {
    const store = newParameters();
    const before = store.weights.slice();
    run(store, [Array(size).fill(0)], options);
    expect([...view(store, store.weights, 'vector')]).toEqual([...view(store, before, 'vector')]);
    const shrunk = view(store, before, 'matrix').map((w) => w * (1 - 0.01 * 0.1));
    expect([...view(store, store.weights, 'matrix')]).toEqual([...shrunk]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'does nothing but drop the gradient where it holds %s',
    (bad) => {
      const store = newParameters();
      run(store, gradients.slice(0, 2), options);
      const before = structuredClone(store);
      const broken = [...gradients[2]];
      broken[7] = bad;
      const [result] = run(store, [broken], options);
      expect(result.applied).toBe(false);
      expect(Number.isFinite(result.gradNorm)).toBe(false);
      expect(store).toEqual(before);
      expect(store.grads.every((g) => g === 0)).toBe(true);
    },
  );

  it('refuses a frozen model', () => {
    const store = newStore(newParameters().parameters, null);
    expect(() => adamWStep(store, options)).toThrow('this model is frozen');
  });
});
