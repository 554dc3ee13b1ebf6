/** Bytes of models and passes, against counts made by hand. */
import { describe, expect, it } from 'vitest';
import {
  activationBytes,
  cacheBytes,
  logitBytes,
  modelBytes,
  parameterCount,
  passBytes,
  requireLoadable,
  requireMemory,
  requireTraining,
  type Work,
} from '../../src/engine/local/compute/memory.ts';
import { InputError } from '../../src/errors.ts';
import { parseConfig } from '../../src/models/qwen2-5-vl/config.ts';
import { config as tiny } from '../models/golden.ts';
import { published3B, published7B } from '../models/published.ts';

const of3B = parseConfig(JSON.stringify(published3B), '3b');
const of7B = parseConfig(JSON.stringify(published7B), '7b');
const GIB = 2 ** 30;
const text = (tokens: number, longest: number): Work => ({ tokens, longest, scored: 0 });

describe('the memory of a model', () => {
  it('at rest is four bytes a parameter, sixteen where all of them learn', () => {
    expect(parameterCount(of3B)).toBe(3_754_622_976);
    expect(modelBytes(of3B, 'nothing')).toBe(15_018_491_904);
    expect(modelBytes(of3B, 'everything')).toBe(60_073_967_616);
  });

  it('with an adapter grows by sixteen bytes for each of its parameters, beside weights of any width', () => {
    expect(modelBytes(of3B, { adapter: 1_000_000 })).toBe(15_018_491_904 + 16_000_000);
    expect(modelBytes(of3B, { adapter: 1_000_000 }, 2)).toBe(7_509_245_952 + 16_000_000);
  });

  it('for the key/value cache of 3B is 72 KiB a token: 36 layers, two heads of 128, keys and values', () => {
    expect(cacheBytes(of3B, 1, 1)).toBe(36 * 2 * 128 * 2 * 4);
    expect(cacheBytes(of3B, 8, 1024)).toBe(8 * 1024 * 73_728);
  });

  it('for logits is two rows of the vocabulary a token, four while learning', () => {
    expect(logitBytes(of3B, 100, 'nothing')).toBe(100 * 2 * 151_936 * 4);
    expect(logitBytes(of3B, 100, 'everything')).toBe(100 * 4 * 151_936 * 4);
    expect(logitBytes(of3B, 100, { adapter: 1 })).toBe(logitBytes(of3B, 100, 'everything'));
  });
});

describe('the memory of activations', () => {
  // 4·64 of the stream and its norms, 2·4·16 queries and mixed values, 2·2·16 keys and values, 4·10 probabilities, 5·160
  const layer = 256 + 128 + 64 + 40 + 800;

  it('that a backward pass needs is that of every layer, and of one layer again for its gradients', () => {
    expect(activationBytes(tiny, text(7, 10), 'everything')).toBe(7 * 4 * layer * (3 + 1));
    expect(activationBytes(tiny, text(7, 10), { adapter: 5 })).toBe(7 * 4 * layer * 4);
  });

  it('is that of two layers and every layer’s input where the rest is computed again', () => {
    expect(activationBytes(tiny, text(7, 10), 'everything', 'layer inputs')).toBe(
      7 * 4 * (3 * 64 + 2 * layer),
    );
  });

  it('is that of one layer where nothing learns', () => {
    expect(activationBytes(tiny, text(7, 10), 'nothing')).toBe(7 * 4 * (64 + layer));
  });

  it('of pictures counts attention by windows of 64 patches, and by whole pictures in the other blocks', () => {
    const block = (group: number) => 8 * 64 + 4 * group + 5 * 96;
    const work = { ...text(0, 0), patches: 200, largestPicture: 120 };
    expect(activationBytes(tiny, work, 'everything')).toBe(
      200 * 4 * (588 + 2 * block(64) + 2 * block(120) + block(120)),
    );
  });

  it('of a 1,000-token update of 3B is 11.6 GiB, and 0.9 GiB with recomputation', () => {
    const gib = (kept: 'all' | 'layer inputs') =>
      activationBytes(of3B, text(1000, 1000), { adapter: 1 }, kept) / GIB;
    // (4 + 2)·2048 + 2·256 + 16·1000 + 5·11008 = 83,840 numbers a token and layer
    expect(gib('all')).toBeCloseTo((83_840 * 37 * 4000) / GIB, 6);
    expect(gib('layer inputs')).toBeCloseTo(((36 * 2048 + 2 * 83_840) * 4000) / GIB, 6);
  });
});

describe('a pass', () => {
  it('adds up the model, the gradient as it comes out, activations and logits', () => {
    const work = { tokens: 7, longest: 10, scored: 3 };
    const rest = activationBytes(tiny, work, 'everything') + logitBytes(tiny, 3, 'everything');
    expect(passBytes(tiny, work, 'everything')).toBe(5 * 4 * parameterCount(tiny) + rest);
    expect(passBytes(tiny, work, { adapter: 100 })).toBe(4 * parameterCount(tiny) + 5 * 400 + rest);
    expect(passBytes(tiny, work, 'nothing')).toBe(
      4 * parameterCount(tiny) + activationBytes(tiny, work, 'nothing') + logitBytes(tiny, 3, 'nothing'),
    );
  });
});

describe('what does not fit is refused in one line', () => {
  const machine = (total: number, available: number) => ({ total: total * GIB, available: available * GIB });
  const refusal = (act: () => void): string => {
    try {
      act();
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
      return (error as Error).message;
    }
    return 'accepted';
  };

  it('that says what is needed, what there is and what to do', () => {
    expect(refusal(() => requireMemory('it', 3 * GIB, 'buy some', machine(4, 2)))).toBe(
      "it takes about 3.0 GiB of memory, but 2.0 of this machine's 4.0 GiB are free; buy some",
    );
    expect(refusal(() => requireMemory('it', 2 * GIB, 'buy some', machine(4, 2)))).toBe('accepted');
  });

  it.each<[string, 'nothing' | 'everything', number, number, string]>([
    ['3B frozen, in 23 GiB', 'nothing', 23, 22, 'accepted'],
    [
      '3B frozen, while others have the memory',
      'nothing',
      23,
      8,
      "3b with 3.8 billion parameters takes about 14.0 GiB of memory, but 8.0 of this machine's 23.0 GiB are free; close other programs",
    ],
    [
      '3B learning, in 23 GiB',
      'everything',
      23,
      22,
      "3b with 3.8 billion parameters takes about 55.9 GiB of memory, but 22.0 of this machine's 23.0 GiB are free; train an adapter (LoRA) on its frozen weights, which take 14.0 GiB",
    ],
    [
      '3B learning, in 8 GiB',
      'everything',
      8,
      7,
      "3b with 3.8 billion parameters takes about 55.9 GiB of memory, but 7.0 of this machine's 8.0 GiB are free; use a smaller model or a machine with more memory",
    ],
  ])('%s', (_, learning, total, free, line) => {
    expect(refusal(() => requireLoadable('3b', of3B, learning, machine(total, free)))).toBe(line);
  });

  it('7B, whose parameters are more than a typed array holds', () => {
    expect(parameterCount(of7B)).toBe(8_292_166_656);
    expect(refusal(() => requireLoadable('7b', of7B, 'nothing', machine(512, 500)))).toBe(
      '7b has 8.3 billion parameters; this engine takes 4.3 billion at most, use a smaller model',
    );
  });

  it('an update that is too large, with the first remedy that is enough', () => {
    const lora = { adapter: 30_000_000 };
    const work = { tokens: 4000, longest: 1000, scored: 2000 };
    const advice = (free: number, learning: 'everything' | typeof lora = lora) =>
      refusal(() => requireTraining('the update', of3B, work, learning, 'all', machine(free, free))).split(
        '; ',
      )[1];
    expect(advice(80)).toBeUndefined();
    expect(advice(40)).toMatch(/^lower engine\.token_budget to \d+$/);
    expect(advice(20)).toBe('recompute the activations');
    expect(advice(20, 'everything')).toBe('train an adapter (LoRA) instead of all parameters');
    expect(advice(10)).toBe('use a smaller model, shorter sequences or a machine with more memory');
  });

  it('a token budget that is advised fits', () => {
    const work = { tokens: 4000, longest: 1000, scored: 2000, patches: 400, largestPicture: 100 };
    const memory = machine(40, 40);
    const check = (of: Work) => refusal(() => requireTraining('it', of3B, of, { adapter: 0 }, 'all', memory));
    const budget = Number(/\d+$/.exec(check(work))![0]);
    const share = budget / 4000;
    expect(budget).toBeGreaterThan(1000);
    expect(check({ ...work, tokens: budget, scored: 2000 * share, patches: 400 * share })).toBe('accepted');
  });
});
