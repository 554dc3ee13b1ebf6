/** A model in two lanes is the same model: shares of every batch, gradients added up, one step for both. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deal, laneCount, sequenceCosts } from '../../src/engine/local/deal.ts';
import { createLocalEngine } from '../../src/engine/local/index.ts';
import type { Engine, Sequence } from '../../src/engine/types.ts';
import { GOLDEN_MODEL, goldenCase, goldenStep, greatestDifference } from './golden-cases.ts';
import { textPrompt } from './small-model.ts';

const start = (threads: number) =>
  createLocalEngine({
    source: { dir: GOLDEN_MODEL },
    trainable: true,
    provider: 'cpu',
    threads,
    tokenBudget: 200,
  });

let root: string;
let sequences: Sequence[];
let weights: number[][];
const engines: Engine[] = [];
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'lanes-'));
  const { sequences: four } = await goldenCase('batch');
  sequences = [...four, { prompt: four[1].prompt, completion: [9, 8] }, ...four.slice(0, 2)];
  weights = sequences.map(({ completion }, i) => completion.map((_, k) => Math.sin(3 * i + k)));
  engines.push(await start(1), await start(2), await start(2), await start(3));
}, 60_000);
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.dispose()));
  rmSync(root, { recursive: true });
});

const score = async (of: Engine) => (await of.logprobs(sequences)).flatMap((s) => s.logprobs);
const train = async (of: Engine, steps: number) => {
  const norms: number[] = [];
  for (let k = 0; k < steps; k++) {
    await of.backward(sequences, weights);
    norms.push((await of.step(goldenStep)).gradNorm);
  }
  return norms;
};

it('learns the same, whatever the number of lanes, and bit for bit the same in as many', async () => {
  const [alone, two, again, three] = await Promise.all(
    engines.map(async (engine) => ({ norms: await train(engine, 3), scored: await score(engine) })),
  );
  expect(again).toEqual(two);
  for (const { norms, scored } of [two, three]) {
    expect(greatestDifference(norms, alone.norms)).toBeLessThan(1e-4 * alone.norms[0]);
    expect(greatestDifference(scored, alone.scored)).toBeLessThan(1e-4);
  }
});

it('returns log p in the order of the sequences, for weights that are computed from it too', async () => {
  const [alone, two] = engines;
  for (const engine of [alone, two]) await engine.load(GOLDEN_MODEL);
  const expected = await score(alone);
  let seen: number[][] = [];
  const returned = await two.backward(sequences, (logprobs) => {
    seen = logprobs;
    return weights;
  });
  expect(greatestDifference(returned.flat(), expected)).toBeLessThan(2e-5);
  expect(greatestDifference(seen.flat(), expected)).toBeLessThan(2e-5);
  await two.load(GOLDEN_MODEL);
});

it('draws the same tokens, and tells of every one under the number of its prompt', async () => {
  const [alone, two] = engines;
  for (const engine of [alone, two]) await engine.load(GOLDEN_MODEL);
  const prompts = [textPrompt(5, 6, 7), textPrompt(8), textPrompt(9, 10), textPrompt(11, 12)];
  const options = { samples: 3, maxTokens: 6, temperature: 1, seed: 4, keys: [7, 1, 9, 3], stop: [2] };
  const told = prompts.map(() => Array.from({ length: 3 }, () => [] as number[]));
  const drawn = await two.sample(prompts, {
    ...options,
    onToken: ({ prompt, sample, token }) => told[prompt][sample].push(token),
  });
  const tokens = (of: typeof drawn) => of.map((prompt) => prompt.map((s) => s.tokens));
  expect(tokens(drawn)).toEqual(tokens(await alone.sample(prompts, options)));
  expect(told).toEqual(tokens(drawn));
});

it('saves and goes on exactly, with the moments of both', async () => {
  const [, two, other] = engines;
  for (const engine of [two, other]) await engine.load(GOLDEN_MODEL);
  await train(two, 2);
  const dir = join(root, 'saved');
  await two.save(dir, { optimizer: true });
  await other.load(dir, { optimizer: true });
  expect(await score(other)).toEqual(await score(two));
  expect(await train(other, 2)).toEqual(await train(two, 2));
  await two.save(join(root, 'a'), { optimizer: true });
  await other.save(join(root, 'b'), { optimizer: true });
  for (const file of ['model.safetensors', 'trainer/optimizer.safetensors'])
    expect(readFileSync(join(root, 'a', file)).equals(readFileSync(join(root, 'b', file)))).toBe(true);
});

it('keeps a reference as it was, and drops a gradient that is not finite in every lane', async () => {
  const [, two] = engines;
  await two.load(GOLDEN_MODEL);
  const reference = await two.reference();
  const before = await score(two);
  const broken = weights.map((row, i) => (i === 0 ? row.map(() => Number.POSITIVE_INFINITY) : row));
  await two.backward(sequences, broken);
  expect((await two.step(goldenStep)).applied).toBe(false);
  expect(await score(two)).toEqual(before);
  await train(two, 1);
  expect(await score(reference)).toEqual(before);
  expect(await score(two)).not.toEqual(before);
});

describe('a batch is dealt out', () => {
  it('in consecutive shares that hold every item once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000)), fc.integer({ min: 1, max: 8 }), (costs, lanes) => {
        const shares = deal(costs, lanes);
        expect(shares.length).toBe(lanes);
        expect(shares[0][0]).toBe(0);
        expect(shares.at(-1)![1]).toBe(costs.length);
        shares.forEach(([from, to], i) => {
          expect(from).toBeLessThanOrEqual(to);
          if (i > 0) expect(from).toBe(shares[i - 1][1]);
        });
      }),
    );
  });

  it('about evenly: no share is above its part by more than the dearest item', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1000), { minLength: 1 }),
        fc.integer({ min: 1, max: 8 }),
        (costs, lanes) => {
          const total = costs.reduce((a, b) => a + b, 0);
          for (const [from, to] of deal(costs, lanes)) {
            const share = costs.slice(from, to).reduce((a, b) => a + b, 0);
            expect(share).toBeLessThanOrEqual(total / lanes + Math.max(...costs) + 1e-6);
          }
        },
      ),
    );
  });

  it('counting a prompt once for the sequences that follow one another with it', () => {
    const [a, b] = [textPrompt(1, 2, 3), textPrompt(4, 5)];
    const of = (prompt: typeof a, completion: number[]) => ({ prompt, completion });
    expect(sequenceCosts([of(a, [1]), of(a, [1, 2]), of(b, [1]), of(a, [1])])).toEqual([4, 2, 3, 4]);
  });

  it('to as many lanes as there are threads, fewer where copies would not fit, and each with its part of the threads', () => {
    expect(laneCount(4, 1e6)).toBe(4);
    expect(laneCount(4, 600e6)).toBe(2);
    expect(laneCount(6, 500e6)).toBe(3);
    expect(laneCount(2, 20e9)).toBe(1);
  });
});
