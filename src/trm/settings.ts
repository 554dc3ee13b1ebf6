/** Which judge, and how it is asked: plain data, the same in a recipe and on a command line. */
import { z } from 'zod';

const whole = z.number().int().positive();
const positive = z.number().positive();

/** How a response is cut into steps, and how the scores of these become one. */
export const Steps = z.strictObject({
  split: z.enum(['statements', 'text']).default('text'),
  aggregate: z.enum(['mean', 'min', 'product']).default('mean'),
});
export type Steps = z.infer<typeof Steps>;

/**
 * How a score is read: `text`, the judge writes it; `expected`, the expected value over the scores by the judge's
 * log-probabilities.
 */
export const READS = ['text', 'expected'] as const;
export type Reads = (typeof READS)[number];

/** A model behind an OpenAI-compatible server. */
export const EndpointSettings = z.strictObject({
  /** Everything before `/chat/completions`. */
  url: z.url({
    protocol: /^https?$/,
    error: 'must be the address of a server, such as http://127.0.0.1:8000/v1',
  }),
  /** The model's name there. */
  model: z.string().default('default'),
  /** The prompt, with {problem} and {response}; null: the rubric of prompts/thinking-rubric.txt. */
  template: z.string().nullable().default(null),
  /** The judge may think in <think>…</think> before it gives its score. */
  thinks: z.boolean().default(false),
  reads: z.enum(READS).default('text'),
  temperature: z.number().nonnegative().default(0),
  /** Longest reply, tokens; null: 16, or 4096 where the judge thinks. */
  max_tokens: whole.nullable().default(null),
  /** Calls under way at once. */
  concurrency: whole.default(8),
  /** A call that has not been answered by then is given up, and tried again. */
  timeout_s: positive.max(300, 'must be 300 at most').default(60),
  /** The environment variable that holds the key, if the server wants one. */
  key_variable: z.string().default('OPENAI_API_KEY'),
  /** Folder in which replies are kept; null: none. */
  cache: z.string().nullable().default(null),
  steps: Steps.nullable().default(null),
});
export type EndpointSettings = z.infer<typeof EndpointSettings>;

/** A checkpoint on the local engine. Null: as the judge.json of its folder says. */
export const FolderSettings = z.strictObject({
  model: z.string(),
  template: z.string().nullable().default(null),
  thinks: z.boolean().nullable().default(null),
  reads: z.enum(READS).nullable().default(null),
  max_tokens: whole.nullable().default(null),
  steps: Steps.nullable().default(null),
});
export type FolderSettings = z.infer<typeof FolderSettings>;

export type JudgeSettings = 'oracle' | EndpointSettings | FolderSettings;
