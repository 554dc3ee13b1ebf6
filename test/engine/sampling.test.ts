import { beforeAll, describe, expect, it } from 'vitest';
import { pick, sample } from '../../src/engine/local/compute/decode.ts';
import { type LocalModel, logprobs } from '../../src/engine/local/compute/model.ts';
import { keyedUniform } from '../../src/engine/local/compute/random.ts';
import type { Prompt, Sample, SampleOptions, Sequence } from '../../src/engine/types.ts';
import { RunError } from '../../src/errors.ts';
import { type GoldenCase, goldenCase, goldenModel, greatestDifference } from './golden-cases.ts';
import { chiSquare, oneInAThousand, smallModel, textPrompt, VOCABULARY } from './small-model.ts';

const options: SampleOptions = { samples: 3, maxTokens: 8, temperature: 1, seed: 5, stop: [] };
const tokensOf = (sampled: Sample[][]) => sampled.map((of) => of.map((s) => s.tokens));
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

describe('the random stream', () => {
  const cells = 64;
  const countCells = (draws: number[]) => {
    const counts = Array(cells).fill(0);
    for (const u of draws) counts[Math.floor(u * cells)]++;
    return chiSquare(counts, Array(cells).fill(1 / cells));
  };
  const n = 20_000;

  it.each<[string, (i: number) => number]>([
    ['positions', (i) => keyedUniform(3, 1, 0, i)],
    ['samples', (i) => keyedUniform(3, 1, i, 0)],
    ['prompt keys', (i) => keyedUniform(3, i, 0, 0)],
    ['seeds', (i) => keyedUniform(i, 1, 0, 0)],
    ['keys beyond 32 bits', (i) => keyedUniform(3, 2 ** 40 * (i + 1), 0, 0)],
    ['samples and positions together', (i) => keyedUniform(3, 1, i % 8, i >> 3)],
  ])('is uniform over %s', (_, draw) => {
    expect(countCells(range(n).map(draw))).toBeLessThan(oneInAThousand(cells - 1));
  });

  it.each<[string, (i: number, next: number) => number]>([
    ['position', (i, next) => keyedUniform(3, 1, 0, i + next)],
    ['sample', (i, next) => keyedUniform(3, 1, next, i)],
    ['seed', (i, next) => keyedUniform(3 + next, 1, 0, i)],
  ])('does not tell the next %s from this one', (_, draw) => {
    const pairs = range(n).map(
      (i) => (Math.floor(draw(i, 0) * 8) * 8 + Math.floor(draw(i, 1) * 8) + 0.5) / cells,
    );
    expect(countCells(pairs)).toBeLessThan(oneInAThousand(cells - 1));
  });

  it('lies in [0, 1) and has no equal draws for different keys', () => {
    const draws = range(n).map((i) => keyedUniform(i % 7, i % 11, i, -i));
    expect(draws.every((u) => u >= 0 && u < 1)).toBe(true);
    expect(new Set(draws).size).toBe(n);
  });
});

it('draws the same where memory lets only one prompt be sampled at a time', async () => {
  const prompts = [textPrompt(1, 2, 3), textPrompt(4), textPrompt(5, 6)];
  const told: number[] = [];
  const onToken = ({ prompt }: { prompt: number }) => told.push(prompt);
  const together = await sample(smallModel(), prompts, options);
  const apart = await sample(smallModel({ keep: 0 }), prompts, { ...options, onToken });
  expect(tokensOf(apart)).toEqual(tokensOf(together));
  // one prompt after another
  expect(told).toEqual([...told].sort());
  expect(new Set(told)).toEqual(new Set([0, 1, 2]));
});

describe('one token from logits', () => {
  const logits = Float32Array.from([0.5, 2, -1, 1, 2, 0]);
  const probabilities = (temperature: number) => {
    const e = Array.from(logits, (x) => Math.exp(x / temperature));
    return e.map((x) => x / e.reduce((a, b) => a + b));
  };
  const draws = 30_000;
  const counts = (of: { temperature: number; topP?: number }) => {
    const result: number[] = Array(logits.length).fill(0);
    for (let i = 0; i < draws; i++) result[pick(logits, of, (i + 0.5) / draws).token]++;
    return result;
  };

  it('at temperature 0 is the likeliest (the first of equals), with its log p at temperature 1', () => {
    const { token, logprob } = pick(logits, { temperature: 0 }, 0.99);
    expect(token).toBe(1);
    expect(logprob).toBeCloseTo(Math.log(probabilities(1)[1]), 12);
  });

  it.each([0.25, 1, 3])('at temperature %s follows the softmax of logits / temperature', (temperature) => {
    const p = probabilities(temperature);
    counts({ temperature }).forEach((count, i) => {
      expect(Math.abs(count / draws - p[i])).toBeLessThan(1 / draws);
    });
    const { token, logprob } = pick(logits, { temperature }, 0.3);
    expect(logprob).toBeCloseTo(Math.log(p[token]), 12);
  });

  it('with top-p keeps the smallest set of tokens that holds it, in proportion', () => {
    // in order: 0.3565 0.3565 0.1312 0.0795 0.0482 0.0177...
    const p = probabilities(1);
    const [first, second] = [p[1] / (p[1] + p[4] + p[3]), p[3] / (p[1] + p[4] + p[3])];
    const expected = [0, first, 0, second, first, 0];
    counts({ temperature: 1, topP: 0.75 }).forEach((count, i) => {
      expect(Math.abs(count / draws - expected[i])).toBeLessThan(1 / draws);
    });
    const kept = counts({ temperature: 1, topP: 1e-9 });
    expect(kept).toEqual([0, draws, 0, 0, 0, 0]);
  });

  it('with top-p still reports log p of the whole distribution', () => {
    const { token, logprob } = pick(logits, { temperature: 1, topP: 0.75 }, 0.5);
    expect(logprob).toBeCloseTo(Math.log(probabilities(1)[token]), 12);
  });

  it('survives the ends of the draw and of the number range', () => {
    const wide = Float32Array.from([-3e38, 0, 3e38]);
    for (const u of [0, 1 - 2 ** -53])
      for (const topP of [1, 0.5]) expect(pick(wide, { temperature: 1, topP }, u).token).toBe(2);
  });
});

describe('sampled tokens of a small vocabulary', () => {
  const model = smallModel();
  const prompt = textPrompt(3, 1, 4);
  const samples = 6000;

  it.each([
    ['temperature 1', { temperature: 1 }],
    ['temperature 0.8', { temperature: 0.8 }],
    ['top-p 0.8', { temperature: 1, topP: 0.8 }],
  ])('fall as the model says, the second given the first, at %s', async (_, how) => {
    const [drawn] = await sample(model, [prompt], { ...options, ...how, samples, maxTokens: 2 });
    const first = await distribution(model, prompt, [], how);
    const firstCounts = range(VOCABULARY).map((t) => drawn.filter((s) => s.tokens[0] === t).length);
    expectDrawnFrom(firstCounts, first);
    const likeliest = first.indexOf(Math.max(...first));
    const second = await distribution(model, prompt, [likeliest], how);
    const after = drawn.filter((s) => s.tokens[0] === likeliest);
    const secondCounts = range(VOCABULARY).map((t) => after.filter((s) => s.tokens[1] === t).length);
    expectDrawnFrom(secondCounts, second);
  });

  it('change with the seed', async () => {
    const [five, six] = await Promise.all(
      [5, 6].map((seed) => sample(model, [prompt], { ...options, seed })),
    );
    expect(tokensOf(five)).not.toEqual(tokensOf(six));
  });
});

/** Probabilities of the next token by the scoring graph, cut to the nucleus where there is a top-p. */
async function distribution(
  model: LocalModel,
  prompt: Prompt,
  before: number[],
  { temperature, topP = 1 }: { temperature: number; topP?: number },
): Promise<number[]> {
  const candidates = range(VOCABULARY);
  const [scored] = await logprobs(model, [{ prompt, completion: [...before, 0] }], {
    candidates,
    temperature,
  });
  const p = scored.candidates!.map(Math.exp);
  const order = candidates.toSorted((a, b) => p[b] - p[a]);
  let mass = 0;
  const nucleus = order.filter((t) => {
    const inside = mass < topP;
    if (inside) mass += p[t];
    return inside;
  });
  return p.map((x, t) => (nucleus.includes(t) ? x / mass : 0));
}

function expectDrawnFrom(counts: number[], probabilities: number[]): void {
  const possible = range(counts.length).filter((t) => probabilities[t] > 0);
  expect(counts.filter((_, t) => probabilities[t] === 0).every((c) => c === 0)).toBe(true);
  const chi = chiSquare(
    possible.map((t) => counts[t]),
    possible.map((t) => probabilities[t]),
  );
  expect(chi).toBeLessThan(oneInAThousand(possible.length - 1));
}

describe('samples of prompts with and without pictures', () => {
  let model: LocalModel;
  let golden: GoldenCase;
  let prompts: Prompt[];
  let together: Sample[][];
  beforeAll(async () => {
    model = await goldenModel();
    golden = await goldenCase('batch');
    prompts = golden.sequences.map((s) => s.prompt);
    together = await sample(model, prompts, options);
  });

  it('carry the log p that scoring gives them', async () => {
    for (const temperature of [1, 0.6]) {
      const sampled = await sample(model, prompts, { ...options, temperature });
      const sequences: Sequence[] = sampled.flatMap((of, p) =>
        of.map((s) => ({ prompt: prompts[p], completion: s.tokens })),
      );
      const scored = await logprobs(model, sequences, { temperature });
      sampled.flat().forEach((s, i) => {
        expect(greatestDifference(s.logprobs, scored[i].logprobs)).toBeLessThan(2e-5);
      });
    }
  });

  it('are the same at every call', async () => {
    expect(await sample(model, prompts, options)).toEqual(together);
  });

  it('differ between the samples of a prompt', () => {
    for (const of of together) expect(new Set(of.map((s) => s.tokens.join())).size).toBe(options.samples);
  });

  it('are the same alone, in another order and beside others, given keys', async () => {
    const order = [2, 0, 3, 1];
    const turned = await sample(
      model,
      order.map((p) => prompts[p]),
      { ...options, keys: order },
    );
    expect(tokensOf(turned)).toEqual(order.map((p) => tokensOf(together)[p]));
    for (const p of order) {
      const alone = await sample(model, [prompts[p]], { ...options, keys: [p] });
      expect(tokensOf(alone)[0]).toEqual(tokensOf(together)[p]);
      expect(greatestDifference(alone[0][0].logprobs, together[p][0].logprobs)).toBeLessThan(2e-5);
    }
  });

  it('are the same when they are too many for one batch of the cache', async () => {
    const many = range(40).map((i) => prompts[i % 4]);
    const keys = range(40).map((i) => i % 4);
    const sampled = tokensOf(await sample(model, many, { ...options, maxTokens: 4, keys }));
    sampled.forEach((tokens, i) => {
      expect(tokens).toEqual(tokensOf(together)[i % 4].map((t) => t.slice(0, 4)));
    });
  });

  it('are the first samples when more are drawn, and the beginning when more tokens are', async () => {
    const more = tokensOf(await sample(model, prompts, { ...options, samples: 5, maxTokens: 11 }));
    const cut = more.map((of) => of.slice(0, 3).map((tokens) => tokens.slice(0, 8)));
    expect(cut).toEqual(tokensOf(together));
  });

  it('end with the stop token where one comes, without a change to the others', async () => {
    const free = together.flat();
    const stop = [free[0].tokens[2], free[7].tokens[0]];
    const stopped = (await sample(model, prompts, { ...options, stop })).flat();
    stopped.forEach((s, i) => {
      const at = free[i].tokens.findIndex((t) => stop.includes(t));
      expect(s.tokens).toEqual(at < 0 ? free[i].tokens : free[i].tokens.slice(0, at + 1));
      expect(s.finish).toBe(at < 0 ? 'length' : 'stop');
      expect(s.logprobs.length).toBe(s.tokens.length);
    });
    expect(new Set(stopped.map((s) => s.finish)).size).toBe(2);
  });

  it('refuse an empty prompt and tokens that the model does not know', async () => {
    await expect(sample(model, [textPrompt()], options)).rejects.toThrow('a prompt needs at least one token');
    for (const token of [-1, 672, 1.5, Number.NaN])
      await expect(sample(model, [textPrompt(1, token)], options)).rejects.toThrow(
        `token ${token} is outside the model's vocabulary of 672`,
      );
  });

  it('refuse a prompt that does not fit the context with its response, by the name it has', async () => {
    const context = model.config.text.maxPositions;
    const long = { ...textPrompt(...Array(context - 5).fill(1)), source: 'records.jsonl:7' };
    await expect(sample(model, [long], { ...options, maxTokens: 6 })).rejects.toThrow(
      `records.jsonl:7: takes ${context - 5} tokens, and 6 for the response, but the model's context is ${context}`,
    );
  });

  it('refuse to go on where the model has diverged', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      for (const temperature of [0, 1])
        expect(() => pick(new Float32Array(3).fill(bad), { temperature }, 0.5)).toThrow(RunError);
  });
});
