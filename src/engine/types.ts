/**
 * The one seam between algorithm and compute. The algorithm never sees a tensor, a device or a server:
 * it hands over token lists and pictures and gets token log-probabilities back. Every loss of this project
 * is a weighted sum of token log-probabilities, so `backward` with weights is all the training an engine needs.
 */

/** A decoded picture: `rgb` is row-major height×width×3; `hash` names its content (engines may cache by it). */
export interface Picture {
  width: number;
  height: number;
  rgb: Uint8Array;
  hash: string;
}

/** A prompt as the engine takes it: token ids with pictures between them. The engine puts in the picture's placeholder tokens. */
export interface Prompt {
  chunks: PromptChunk[];
  /** Where it comes from, for messages. */
  source?: string;
}
export type PromptChunk = { tokens: number[] } | { image: Picture };

/** A prompt and the tokens that follow it. Only completion tokens are scored and trained on. */
export interface Sequence {
  prompt: Prompt;
  completion: number[];
}

export interface SampleOptions {
  /** Responses per prompt (G). */
  samples: number;
  maxTokens: number;
  /** 0 is greedy. */
  temperature: number;
  topP?: number;
  /** Key of the random stream; a token's draw depends only on (seed, key of its prompt, sample index, position). */
  seed: number;
  /** One key a prompt; by default its index. Give stable keys to make draws independent of batch composition. */
  keys?: number[];
  /** Token ids that end a response; they are part of it. */
  stop: number[];
  /**
   * Told every token, once, in the order of its response, before `sample` resolves; as soon as it is drawn where the
   * engine can.
   */
  onToken?: (drawn: DrawnToken) => void;
}

/** A token of response `sample` to prompt `prompt` (both as in the result). */
export interface DrawnToken {
  prompt: number;
  sample: number;
  token: number;
}

export interface Sample {
  tokens: number[];
  /** log p of each token under the sampling distribution (after temperature, before top-p). */
  logprobs: number[];
  /** 'stop': ended by a stop token. 'length': cut off by maxTokens. */
  finish: 'stop' | 'length';
}

export interface LogprobOptions {
  /** Divides the logits; default 1. */
  temperature?: number;
  /** Token ids whose log-probability at the last completion position is wanted. */
  candidates?: number[];
  /** Also return the entropy (nats) of each position. */
  entropy?: boolean;
}

export interface Logprobs {
  /** log p of every completion token, in order. */
  logprobs: number[];
  /** log p of each candidate id in place of the last completion token. */
  candidates?: number[];
  entropy?: number[];
}

/** AdamW (Loshchilov & Hutter 2019) with global-norm clipping. Decay acts on matrices only (tensors of 2 or more axes). */
export interface StepOptions {
  learningRate: number;
  betas: [number, number];
  eps: number;
  weightDecay: number;
  /** Global gradient norm is clipped to this; 0 means no clipping. */
  maxGradNorm: number;
}

export interface StepResult {
  /** Global L2 norm of the accumulated gradient before clipping. */
  gradNorm: number;
  /** False when the gradient held NaN or Inf: nothing was changed then, and the gradient was dropped. */
  applied: boolean;
}

export interface Capabilities {
  name: string;
  provider: string;
  threads: number;
  train: boolean;
  parameters: number;
  contextLength: number;
  vocabulary: number;
}

/** Token weights: one list a sequence, one number a completion token; either given or computed from log p. */
export type Weights = number[][] | ((logprobs: number[][]) => number[][]);

export interface Engine {
  readonly capabilities: Capabilities;
  /** [prompt][sample] */
  sample(prompts: Prompt[], options: SampleOptions): Promise<Sample[][]>;
  logprobs(sequences: Sequence[], options?: LogprobOptions): Promise<Logprobs[]>;
  /** Adds ∇ Σ wᵢ·log pᵢ to the accumulated gradient (a plain sum, no normalisation); returns log p. */
  backward(sequences: Sequence[], weights: Weights): Promise<number[][]>;
  /** Ascends the accumulated gradient and clears it. */
  step(options: StepOptions): Promise<StepResult>;
  /** A frozen copy of the model as it is now, for log-probabilities and sampling only. */
  reference(): Promise<Engine>;
  /** Writes a Hugging Face model folder; with `optimizer` also the AdamW moments beside it. Whole or not at all. */
  save(dir: string, options?: { optimizer?: boolean }): Promise<void>;
  /** Loads weights from a Hugging Face folder of the same architecture; with `optimizer` the moments too, else AdamW starts afresh. Drops the accumulated gradient. */
  load(dir: string, options?: { optimizer?: boolean }): Promise<void>;
  dispose(): Promise<void>;
}
