/** Micro-batches, repetition, and what scoring returns beside log p. */
import { beforeAll, describe, expect, it } from 'vitest';
import { backward, type LocalModel, logprobs } from '../../src/engine/local/compute/model.ts';
import { view } from '../../src/engine/local/compute/store.ts';
import type { Sequence } from '../../src/engine/types.ts';
import { goldenCase, goldenModel, goldenPicture, greatestDifference } from './golden-cases.ts';
import { smallModel, textPrompt, VOCABULARY } from './small-model.ts';

let sequences: Sequence[];
let weights: number[][];
beforeAll(async () => {
  const { sequences: four } = await goldenCase('batch');
  // a picture that two sequences share, and one that stands twice in a prompt
  const shapes = { image: await goldenPicture('shapes') };
  const twice = { chunks: [shapes, { tokens: [5, 6] }, shapes, { tokens: [7] }] };
  sequences = [...four, { prompt: four[1].prompt, completion: [9, 8] }, { prompt: twice, completion: [3] }];
  weights = sequences.map(({ completion }, i) => completion.map((_, k) => Math.sin(3 * i + k)));
});

async function gradientOf(model: LocalModel, batches: [Sequence[], number[][]][]): Promise<Float32Array> {
  model.store.grads.fill(0);
  for (const [of, with_] of batches) await backward(model, of, with_);
  return model.store.grads.slice();
}

const sameBits = (a: Float32Array, b: Float32Array) =>
  Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0;

const relative = (a: Float32Array, b: Float32Array) => {
  const l2 = (x: Float32Array) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
  return l2(a.map((v, i) => v - b[i])) / l2(b);
};

describe('the gradient', () => {
  let model: LocalModel;
  let whole: Float32Array;
  beforeAll(async () => {
    model = await goldenModel({ trainable: true });
    whole = await gradientOf(model, [[sequences, weights]]);
  });

  it.each([1, 100, 200])('is the same in micro-batches of %s tokens, for every parameter', async (budget) => {
    const cut = await gradientOf({ ...model, tokenBudget: budget }, [[sequences, weights]]);
    for (const { name } of model.store.parameters) {
      const [a, b] = [view(model.store, cut, name), view(model.store, whole, name)];
      expect(relative(a, b), name).toBeLessThan(2e-5);
    }
  });

  it('is the same bit for bit when it is computed again, in micro-batches too', async () => {
    for (const tokenBudget of [1e6, 150]) {
      const first = await gradientOf({ ...model, tokenBudget }, [[sequences, weights]]);
      const second = await gradientOf({ ...model, tokenBudget }, [[sequences, weights]]);
      expect(sameBits(first, second)).toBe(true);
    }
  });

  it('is the same bit for bit from another model of the same weights, on two threads too', async () => {
    for (const threads of [1, 2]) {
      const gradients: Float32Array[] = [];
      for (let run = 0; run < 2; run++) {
        const other = await goldenModel({ trainable: true, threads });
        gradients.push(await gradientOf(other, [[sequences, weights]]));
      }
      expect(sameBits(gradients[0], gradients[1])).toBe(true);
      expect(relative(gradients[0], whole)).toBeLessThan(1e-5);
    }
  });

  it('is the same bit for bit where layers are computed again instead of kept', async () => {
    const again = await goldenModel({ trainable: true, keep: 0 });
    expect(sameBits(await gradientOf(again, [[sequences, weights]]), whole)).toBe(true);
  });

  it('adds up over calls, in any order of sequences', async () => {
    const parts: [Sequence[], number[][]][] = [
      [sequences.slice(3), weights.slice(3)],
      [sequences.slice(0, 3), weights.slice(0, 3)],
    ];
    expect(relative(await gradientOf(model, parts), whole)).toBeLessThan(1e-5);
  });

  it('does not feel a sequence whose weights are 0', async () => {
    const muted = weights.map((w, i) => (i === 1 ? w.map(() => 0) : w));
    const without = (list: unknown[]) => list.filter((_, i) => i !== 1);
    const left = await gradientOf(model, [
      [without(sequences) as Sequence[], without(weights) as number[][]],
    ]);
    expect(relative(await gradientOf(model, [[sequences, muted]]), left)).toBeLessThan(1e-5);
  });

  it('is that of Σ weight·log p: a small step along it changes the sum by its squared norm', async () => {
    const objective = async () => {
      const scored = await logprobs(model, sequences, {});
      return scored.reduce((sum, s, i) => sum + s.logprobs.reduce((t, p, k) => t + weights[i][k] * p, 0), 0);
    };
    const start = model.store.weights.slice();
    const squared = whole.reduce((sum, g) => sum + g * g, 0);
    const h = 3e-3 / Math.sqrt(squared);
    const at = async (by: number) => {
      model.store.weights.set(start.map((w, i) => w + by * h * whole[i]));
      return objective();
    };
    const slope = (8 * ((await at(1)) - (await at(-1))) - ((await at(2)) - (await at(-2)))) / (12 * h);
    model.store.weights.set(start);
    expect(Math.abs(slope / squared - 1)).toBeLessThan(1e-3);
  });

  it('comes with the log p that scoring returns', async () => {
    const scored = await logprobs(model, sequences, {});
    const returned = await backward(model, sequences, weights);
    expect(returned.map((row) => row.length)).toEqual(sequences.map((s) => s.completion.length));
    expect(
      greatestDifference(
        returned.flat(),
        scored.flatMap((s) => s.logprobs),
      ),
    ).toBeLessThan(2e-6);
  });

  it('is refused for weights that do not fit, and for a frozen model', async () => {
    await expect(backward(model, sequences, weights.slice(1))).rejects.toThrow(
      '6 sequences, but weights for 5',
    );
    const short = weights.map((w, i) => (i === 2 ? w.slice(1) : w));
    await expect(backward(model, sequences, short)).rejects.toThrow('sequence 2: 11 tokens, but 10 weights');
    await expect(backward(await goldenModel(), sequences, weights)).rejects.toThrow('this model is frozen');
  });
});

describe('scoring', () => {
  it('gives the same in micro-batches', async () => {
    const model = await goldenModel();
    const options = { candidates: [1, 2], entropy: true };
    const whole = await logprobs(model, sequences, options);
    const cut = await logprobs({ ...model, tokenBudget: 100 }, sequences, options);
    const flat = (of: typeof whole) => of.flatMap((s) => [...s.logprobs, ...s.candidates!, ...s.entropy!]);
    expect(greatestDifference(flat(cut), flat(whole))).toBeLessThan(1e-5);
  });

  it('does not need a batch to fit in the memory for pictures', async () => {
    const model = await goldenModel();
    const remembered = await logprobs(model, sequences, {});
    model.packer.pictures.clear();
    model.packer.remembered = 2 ** 40;
    expect(await logprobs(model, sequences, {})).toEqual(remembered);
    expect(model.packer.pictures.size).toBe(0);
  });

  it('reads candidates at the last position and entropy at each from one distribution', async () => {
    const model = smallModel();
    const every = Array.from({ length: VOCABULARY }, (_, i) => i);
    const prompts = [textPrompt(1, 2, 3), textPrompt(4)];
    const completions = [
      [5, 6, 7],
      [8, 0],
    ];
    const scored = await logprobs(
      model,
      prompts.map((prompt, i) => ({ prompt, completion: completions[i] })),
      { candidates: every, entropy: true, temperature: 0.8 },
    );
    for (const [i, { logprobs: own, candidates, entropy }] of scored.entries()) {
      const p = candidates!.map(Math.exp);
      expect(p.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      expect(candidates![completions[i].at(-1)!]).toBeCloseTo(own.at(-1)!, 5);
      expect(entropy!.at(-1)!).toBeCloseTo(-p.reduce((sum, q) => sum + q * Math.log(q), 0), 5);
      expect(entropy!.length).toBe(completions[i].length);
      // the candidates are those of this very place: scored as the completion, each has its log p
      for (const token of [0, 11]) {
        const completion = [...completions[i].slice(0, -1), token];
        const [alone] = await logprobs(model, [{ prompt: prompts[i], completion }], { temperature: 0.8 });
        expect(candidates![token]).toBeCloseTo(alone.logprobs.at(-1)!, 5);
      }
    }
  });

  it('returns candidates in the order they were asked for, and nothing that was not asked for', async () => {
    const model = smallModel();
    const sequence = { prompt: textPrompt(1), completion: [2] };
    const [there] = await logprobs(model, [sequence], { candidates: [3, 9, 3] });
    const [back] = await logprobs(model, [sequence], { candidates: [9, 3] });
    expect(there.candidates).toEqual([back.candidates![1], back.candidates![0], back.candidates![1]]);
    expect(Object.keys(there).sort()).toEqual(['candidates', 'logprobs']);
    expect(Object.keys((await logprobs(model, [sequence], {}))[0])).toEqual(['logprobs']);
    expect(await logprobs(model, [], {})).toEqual([]);
  });

  it('refuses what has no log p', async () => {
    const model = smallModel();
    const score = (sequence: Sequence, options = {}) => logprobs(model, [sequence], options);
    const fine = { prompt: textPrompt(1), completion: [2] };
    await expect(score({ ...fine, completion: [] })).rejects.toThrow('without completion tokens');
    await expect(score({ ...fine, prompt: textPrompt() })).rejects.toThrow(
      'a prompt needs at least one token',
    );
    await expect(score({ ...fine, completion: [12] })).rejects.toThrow('token 12 is outside');
    await expect(score(fine, { candidates: [12] })).rejects.toThrow('token 12 is outside');
    await expect(score(fine, { temperature: 0 })).rejects.toThrow('temperature 0');
  });
});
