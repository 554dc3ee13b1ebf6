/**
 * A Thinking Reward Model on an engine as a judge. Its score is the expected value over the eleven score tokens,
 *
 *     score = Σ p(s)·s / Σ p(s),   s in {0.0, 0.1, …, 1.0},
 *
 * read from one forward pass: finer than the most likely score, and without sampling noise.
 */
import type { Chat } from '../data/chat.ts';
import type { Engine, Sequence } from '../engine/types.ts';
import { InputError } from '../errors.ts';
import type { Judge, JudgedResponse, JudgeScore } from './judge.ts';
import { judgePrompt, SCORES } from './prompt.ts';

export interface CheckpointJudgeOptions {
  engine: Engine;
  chat: Chat;
  /** The judge's prompt, with {problem} and {response}. */
  template: string;
  /** How the question itself is written (as for the policy). */
  questionTemplate: string;
}

/** Throws InputError where a score is not one token of the model's vocabulary. */
export function checkpointJudge({ engine, chat, template, questionTemplate }: CheckpointJudgeOptions): Judge {
  const candidates = scoreTokens(chat);
  return {
    name: 'checkpoint',
    async score(responses: JudgedResponse[]): Promise<JudgeScore[]> {
      const prompts = await Promise.all(
        responses.map(({ record, response }) =>
          judgePrompt(chat, template, questionTemplate, record, response),
        ),
      );
      const sequences: Sequence[] = prompts.flatMap((p) =>
        'prompt' in p ? [{ prompt: p.prompt, completion: [candidates[0]] }] : [],
      );
      const scored = sequences.length > 0 ? await engine.logprobs(sequences, { candidates }) : [];
      let next = 0;
      return prompts.map((p) =>
        'failure' in p ? { score: null, failure: p.failure } : expectedScore(scored[next++].candidates!),
      );
    },
  };
}

/** Expected value of the scores under their log-probabilities. */
export function expectedScore(logprobs: readonly number[]): JudgeScore {
  const top = Math.max(...logprobs);
  const mass = logprobs.map((lp) => Math.exp(lp - top));
  const total = mass.reduce((a, b) => a + b, 0);
  const score = mass.reduce((sum, p, i) => sum + p * Number(SCORES[i]), 0) / total;
  return Number.isFinite(score)
    ? { score, failure: null }
    : { score: null, failure: 'the model gave no finite probabilities' };
}

/** The token of each score. */
export function scoreTokens(chat: Chat): number[] {
  return SCORES.map((score) => {
    const tokens = chat.tokenizer.encode(score);
    if (tokens.length !== 1) {
      throw new InputError(
        `judge: the score ${score} is ${tokens.length} tokens in this model's vocabulary; an expected score needs one token each`,
      );
    }
    return tokens[0];
  });
}
