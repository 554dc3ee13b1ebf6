/**
 * An engine may keep what it has made of a picture, by the picture's hash. Training and evaluation meet new pictures all
 * the time, so a benchmark that repeats itself must not let it: in each round the same pictures have other hashes.
 */
import type { Engine, Prompt, Sequence } from '../src/engine/types.ts';

export interface FreshPictures {
  engine: Engine;
  /** From here on all pictures are new ones. */
  nextRound(): void;
}

export function withFreshPictures(engine: Engine): FreshPictures {
  let round = 0;
  const fresh = ({ chunks, ...rest }: Prompt): Prompt => ({
    ...rest,
    chunks: chunks.map((chunk) =>
      'image' in chunk ? { image: { ...chunk.image, hash: `${chunk.image.hash} ${round}` } } : chunk,
    ),
  });
  const freshRows = (rows: Sequence[]) => rows.map((row) => ({ ...row, prompt: fresh(row.prompt) }));
  return {
    engine: {
      ...engine,
      sample: (prompts, options) => engine.sample(prompts.map(fresh), options),
      logprobs: (sequences, options) => engine.logprobs(freshRows(sequences), options),
      backward: (sequences, weights) => engine.backward(freshRows(sequences), weights),
    },
    nextRound: () => {
      round++;
    },
  };
}
