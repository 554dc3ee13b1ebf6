import { expect, it } from 'vitest';
import { createLocalEngine } from '../../src/engine/local/index.ts';
import { GOLDEN_MODEL } from './golden-cases.ts';
import { textPrompt } from './small-model.ts';

it('tells every token as it is drawn, of the right response, also where prompts are sampled in batches', async () => {
  const engine = await createLocalEngine({
    source: { dir: GOLDEN_MODEL },
    trainable: false,
    provider: 'cpu',
    threads: 1,
    tokenBudget: 4096,
  });
  try {
    const prompts = [textPrompt(5, 6), textPrompt(7), textPrompt(8, 9, 10)];
    const options = { samples: 60, maxTokens: 6, temperature: 1, seed: 3, stop: [17, 300] };
    const told = prompts.map(() => Array.from({ length: options.samples }, (): number[] => []));
    let resolved = false;
    const sampling = engine.sample(prompts, {
      ...options,
      onToken: ({ prompt, sample, token }) => {
        expect(resolved).toBe(false);
        told[prompt][sample].push(token);
      },
    });
    const samples = await sampling;
    resolved = true;
    expect(told).toEqual(samples.map((group) => group.map(({ tokens }) => tokens)));
    expect(await engine.sample(prompts, options)).toEqual(samples);
  } finally {
    await engine.dispose();
  }
});
