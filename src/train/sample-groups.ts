/**
 * A step's questions, their responses and what rules can say of these; thinking rewards are asked for as soon as a
 * response is complete, where the judge takes responses singly, while others are still being sampled.
 */
import type { Chat } from '../data/chat/chat.ts';
import { recordPrompt } from '../data/chat/prompting.ts';
import { itemOrder, type Shape } from '../data/records/order.ts';
import type { LoadedRecord, Records } from '../data/records/reader.ts';
import type { DrawnToken, Engine, Prompt, Sample } from '../engine/types.ts';
import { outcomeReward } from '../rewards/outcome.ts';
import type { Judge, JudgeScore } from '../trm/judge.ts';
import { oracleVerdict } from '../trm/oracle-judge.ts';
import { canBeJudged } from '../trm/prompt.ts';
import type { Group, Response, RlSettings } from './rollout.ts';

export type SampledGroup = Omit<Group, 'trust'>;

export interface Sampling {
  policy: Engine;
  /** Null where no thinking rewards are wanted. */
  judge: Judge | null;
  records: Records;
  chat: Chat;
  /** How a question is written, with {problem} and {options}. */
  template: string;
  settings: RlSettings;
  seed: number;
  /** Told of a question that cannot be asked, which is left out; it throws where it may not be. */
  leaveOut: (error: unknown, step: number) => void;
}

/** When sampling ended, and when all thinking rewards had come: `performance.now()`. */
export interface SampledAt {
  sampled: number;
  judged: number;
}

/** Indices of step s (1, 2, …) in the seeded order of records: items (s−1)·P … s·P−1, as keys of their draws too. */
export function itemsOf(
  step: number,
  prompts: number,
  seed: number,
  records: Shape,
): { key: number; at: number }[] {
  const item = itemOrder(records, seed);
  return Array.from({ length: prompts }, (_, p) => {
    const key = (step - 1) * prompts + p;
    return { key, at: item(key) };
  });
}

/** A question with its prompt, and the key of its draws. */
interface Question {
  key: number;
  record: LoadedRecord;
  prompt: Prompt;
}

/**
 * The questions of a step that can be asked: the others are left out. Where none of them can, those that follow in the
 * order are asked, so that a step is never empty. The keys, and so the draws, of those that stay do not change.
 */
async function questionsOf(
  { records, chat, template, settings, seed, leaveOut }: Sampling,
  step: number,
): Promise<Question[]> {
  for (let ahead = 0; ; ahead++) {
    const items = itemsOf(step + ahead, settings.prompts, seed, records);
    const tried = await Promise.allSettled(
      items.map(async ({ key, at }): Promise<Question> => {
        const record = await records.get(at);
        return { key, record, prompt: await recordPrompt(chat, record, template) };
      }),
    );
    for (const one of tried) if (one.status === 'rejected') leaveOut(one.reason, step);
    const asked = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    if (asked.length > 0) return asked;
  }
}

/** A response's draws depend on (seed, item, sample) alone. Throws what the judge throws: InputError. */
export async function sampleGroups(
  sampling: Sampling,
  step: number,
): Promise<SampledAt & { groups: SampledGroup[] }> {
  const { policy, judge, chat, settings, seed } = sampling;
  const { samples, temperature, top_p: topP, max_tokens: maxTokens } = settings;
  const questions = await questionsOf(sampling, step);
  const keys = questions.map(({ key }) => key);
  const asked = questions.map(({ record }) => record);
  const prompts = questions.map(({ prompt }) => prompt);
  const { stop } = chat.tokenizer;
  const desk = judge && openDesk(judge, settings.judge_deadline_s);
  const early =
    judge?.takes === 'singly'
      ? whenComplete(stop, (p, g, tokens) => {
          const response = readResponse(chat, asked[p], { tokens, logprobs: [], finish: 'stop' });
          if (isJudged(response)) desk!.ask(p * samples + g, asked[p], response.text);
        })
      : null;
  try {
    const samples_P_G = await policy.sample(prompts, {
      samples,
      maxTokens,
      temperature,
      topP,
      seed,
      keys,
      stop,
      ...(early ? { onToken: early } : {}),
    });
    const sampled = performance.now();
    const groups = asked.map((record, p) => ({
      record,
      prompt: prompts[p],
      responses: samples_P_G[p].map((sample) => readResponse(chat, record, sample)),
    }));
    if (desk) await giveThinkingRewards(desk, groups, samples);
    return { groups, sampled, judged: performance.now() };
  } finally {
    desk?.close();
  }
}

/** What rules and the oracle say of a response. One that was cut off has no answer. */
function readResponse(chat: Chat, record: LoadedRecord, sample: Sample): Response {
  const whole = sample.finish === 'stop';
  const text = chat.tokenizer.decode(whole ? sample.tokens.slice(0, -1) : sample.tokens);
  const outcome = whole
    ? outcomeReward({ problemType: record.problem_type, response: text, solution: record.solution })
    : { reward: 0, formatOk: false, answer: null, exact: false };
  return {
    sample,
    text,
    outcome,
    thinking: { score: null, failure: null },
    oracle: oracleVerdict(record, whole ? text : ''),
  };
}

/** A listener to tokens that calls back with every response that ends by itself, once it has. */
function whenComplete(
  stop: readonly number[],
  complete: (prompt: number, sample: number, tokens: number[]) => void,
): (drawn: DrawnToken) => void {
  const responses = new Map<string, number[]>();
  return ({ prompt, sample, token }) => {
    const key = `${prompt} ${sample}`;
    const tokens = responses.get(key) ?? [];
    tokens.push(token);
    responses.set(key, tokens);
    if (!stop.includes(token)) return;
    responses.delete(key);
    complete(prompt, sample, tokens);
  };
}

/** Where responses are handed over for judgement, each once. */
interface Desk {
  /** Hands a response over by itself. */
  ask(index: number, record: LoadedRecord, response: string): void;
  /** The scores of responses, in order: those asked for already, and the rest now. The deadline runs from here. */
  collect(all: readonly { index: number; record: LoadedRecord; response: string }[]): Promise<JudgeScore[]>;
  close(): void;
}

function openDesk(judge: Judge, deadlineSeconds: number): Desk {
  const deadline = new AbortController();
  const asked = new Map<number, Promise<JudgeScore[]>>();
  let timer: NodeJS.Timeout | undefined;
  return {
    ask(index, record, response) {
      const score = judge.score([{ record, response }], deadline.signal);
      // reported where it is collected
      score.catch(() => {});
      asked.set(index, score);
    },
    async collect(all) {
      const late = () => deadline.abort(`no score within ${deadlineSeconds} s of the step's last response`);
      timer = setTimeout(late, Math.min(1000 * deadlineSeconds, LONGEST_TIMER));
      const rest = all.filter(({ index }) => !asked.has(index));
      const handed = rest.map(({ record, response }) => ({ record, response }));
      const scored = rest.length > 0 ? await judge.score(handed, deadline.signal) : [];
      const known = new Map(rest.map(({ index }, i) => [index, scored[i]]));
      return Promise.all(all.map(async ({ index }) => known.get(index) ?? (await asked.get(index)!)[0]));
    },
    close() {
      clearTimeout(timer);
      deadline.abort('the step has ended');
    },
  };
}

/** Node's timers hold 31 bits of milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Whether the judge is asked about a response. A broken format scores 0 by rule. So does a picture's placeholder in the
 * text, which no model can be shown: a gap there would be a way around the judge that a policy could learn.
 */
export function isJudged({ outcome, text }: Response): boolean {
  return outcome.formatOk && canBeJudged(text);
}

/** What the judge is not asked about scores 0; a judge that fails leaves null. */
async function giveThinkingRewards(desk: Desk, groups: SampledGroup[], samples: number): Promise<void> {
  const all = groups.flatMap(({ record, responses }, p) =>
    responses.map((response, g) => ({ index: p * samples + g, record, response })),
  );
  for (const { response } of all) response.thinking = { score: 0, failure: null };
  const judged = all.filter(({ response }) => isJudged(response));
  const scores = await desk.collect(
    judged.map(({ index, record, response }) => ({ index, record, response: response.text })),
  );
  judged.forEach(({ response }, i) => {
    response.thinking = scores[i];
  });
}
