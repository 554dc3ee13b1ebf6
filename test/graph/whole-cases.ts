/** Small graphs in which a gradient passes through what is differentiated as a whole (`defineGradient`). */
import * as op from '../../src/graph/ops.ts';
import { recomputed } from '../../src/graph/recompute.ts';
import { elements, noise, type Tensor } from './evaluate.ts';
import type { RuleCase } from './rule-cases.ts';

let seed = 500;
const float = (...shape: number[]): Tensor => ({ shape, data: noise(elements(shape), seed++) });
const whole = (data: number[]): Tensor => ({ shape: [data.length], data, type: 'int64' });

export const WHOLES: Record<string, RuleCase> = {
  'SwiGLU of rows of unknown number': {
    inputs: { gate: float(3, 4), up: float(3, 4) },
    declared: { gate: ['N', 4], up: ['N', 4] },
    build: ({ gate, up }) => op.swiglu(gate, up),
  },
  'SwiGLU of one value with itself': {
    inputs: { x: float(2, 3) },
    build: ({ x }) => op.swiglu(x, op.exp(x)),
  },
  'log p of targets, two of them the same': {
    inputs: { logits: float(3, 5), targets: whole([4, 0, 4]) },
    declared: { logits: ['M', 5], targets: ['M'] },
    build: ({ logits, targets }) => op.targetLogProbs(op.mul(logits, 1.5), targets),
  },
  'parts of sizes known at run time, joined the other way round': {
    inputs: { x: float(5, 2), y: float(5, 2), sizes: whole([2, 3]), swapped: whole([3, 2]) },
    declared: { x: ['N', 2], y: ['N', 2] },
    build: ({ x, y, sizes, swapped }) => {
      const [a, b] = op.splitAt(x, sizes, ['A', 'B'], 0);
      return op.mul(op.joinAt([b, op.exp(a)], swapped, 'N', 0), y);
    },
  },
  'layers computed twice, one in the other, of a parameter that both use': {
    inputs: { x: float(2, 3), w: float(3, 3), v: float(3) },
    declared: { x: ['N', 3] },
    build: ({ x, w, v }) => {
      const layer = (y: typeof x) => op.add(y, op.swiglu(op.linear(y, w), op.rmsNorm(y, v, 1e-6)));
      return recomputed(recomputed(x, layer), (y) => recomputed(layer(y), layer));
    },
  },
};
