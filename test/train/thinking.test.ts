/** When and how a step asks for thinking rewards, on a very small policy that has been taught what to answer. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Chat } from '../../src/data/chat/chat.ts';
import type { Records } from '../../src/data/records/reader.ts';
import { readRlMetrics, readRollouts, withoutTime } from '../../src/data/run-files.ts';
import type { Engine } from '../../src/engine/types.ts';
import type { RlSettings } from '../../src/train/rollout.ts';
import type { Stage } from '../../src/train/stage.ts';
import { trustGrpo } from '../../src/train/trust-grpo.ts';
import type { Judge, JudgedResponse, JudgeScore } from '../../src/trm/judge.ts';
import { openModel, optimizer, stageIn, teach, textRecord, untrained } from './small-policy.ts';

const answers: [question: string, answer: string][] = [
  ['how many circle ?', '<think> so 1 </think> <answer> 1 </answer> <|im_end|>'],
  ['how many square ?', '<think> so 2 </think> <answer> 2 </answer> <|im_end|>'],
  ['what is left ?', `<think> ${'red '.repeat(40)}`],
];
const records = answers.map(([problem], i) => textRecord(i, problem));
const file: Records = { length: records.length, source: 'records.jsonl', get: async (i) => records[i] };

const settings: RlSettings = {
  variant: 'trust-grpo',
  prompts: 3,
  samples: 2,
  temperature: 0.05,
  top_p: 1,
  max_tokens: 60,
  alpha: 0.3,
  kl_beta: 0,
  clip_low: 0.2,
  clip_high: 0.2,
  aggregation: 'token_mean',
  scaling: 'paper',
  updates: 1,
  warn_coverage: 0.9,
  min_coverage: 0,
  judge_deadline_s: 60,
  optimizer: { ...optimizer, learning_rate: 0 },
};

let dir: string;
let model: string;
let policy: Engine;
let chat: Chat;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sophia-thinking-'));
  model = await untrained(dir);
  ({ engine: policy, chat } = await openModel(model));
  const taught = records.map((record, i) => ({ record, tokens: chat.tokenizer.encode(answers[i][1]) }));
  await teach(policy, chat, taught);
}, 60_000);
afterAll(async () => {
  await policy.dispose();
  await rm(dir, { recursive: true, force: true });
});

type Rule = (asked: JudgedResponse[], deadline?: AbortSignal) => Promise<JudgeScore[]>;
const judgeBy = (takes: Judge['takes'], score: Rule): Judge => ({
  name: 'by hand',
  takes,
  score,
  dispose: async () => {},
});
const always = (score: number): Rule => {
  return async (asked) => asked.map(() => ({ score, failure: null }));
};

let folders = 0;
async function train(
  judge: Judge,
  over: Partial<RlSettings> = {},
  stage: Partial<Stage> = {},
  engine = policy,
): Promise<Stage> {
  const s = stageIn(join(dir, `run-${folders++}`), model, { steps: 1, ...stage });
  await trustGrpo({
    policy: engine,
    judge,
    records: file,
    chat,
    template: '{problem}',
    settings: { ...settings, ...over },
    stage: s,
    refresh: null,
  });
  return s;
}

/** The policy, noting when it has sampled. */
function noting(events: string[]): Engine {
  return {
    ...policy,
    sample: async (...args) => {
      const samples = await policy.sample(...args);
      events.push('sampled');
      return samples;
    },
  };
}

/** Puts the token of a picture into the thinking of every response that says `so 1`. */
function withPlaceholder({ sample }: Engine): Engine['sample'] {
  const [one, pad] = [chat.tokenizer.id('1'), chat.tokenizer.id('<|image_pad|>')];
  return async (...args) =>
    (await sample(...args)).map((responses) =>
      responses.map((response) => {
        const at = response.tokens.indexOf(one);
        if (at < 0) return response;
        const inserted = <T>(list: T[], item: T) => [...list.slice(0, at), item, ...list.slice(at)];
        return {
          ...response,
          tokens: inserted(response.tokens, pad),
          logprobs: inserted(response.logprobs, -1),
        };
      }),
    );
}

describe('thinking rewards', () => {
  it('are asked for as soon as a response is complete, while others are still being written', async () => {
    const events: string[] = [];
    const judge = judgeBy('singly', async (asked, deadline) => {
      events.push(...asked.map(({ response }) => response));
      return always(0.5)(asked, deadline);
    });
    await train(judge, {}, {}, noting(events));
    expect(events.slice(0, 4).sort()).toEqual([
      ...Array(2).fill('<think> so 1 </think> <answer> 1 </answer>'),
      ...Array(2).fill('<think> so 2 </think> <answer> 2 </answer>'),
    ]);
    expect(events.slice(4)).toEqual(['sampled']);
  });

  it('are 0 by rule, not missing, for a response that asks for a picture that is not there', async () => {
    const asked: string[] = [];
    const judge = judgeBy('together', async (all, deadline) => {
      asked.push(...all.map(({ response }) => response));
      return always(0.5)(all, deadline);
    });
    const evasive = { ...policy, sample: withPlaceholder(policy) };
    const s = await train(judge, {}, {}, evasive);
    const responses = (await readRollouts(s.dir, 1)).flatMap((g) => g.responses);
    const evading = responses.filter(({ text }) => text.includes('<|image_pad|>'));
    expect(evading.map((r) => [r.format_ok, r.thinking, r.failure])).toEqual(Array(2).fill([true, 0, null]));
    expect(asked.some((response) => response.includes('<|image_pad|>'))).toBe(false);
    expect((await readRlMetrics(s.dir))[0].coverage).toBe(1);
  });

  it('of a judge that takes responses together are asked for once, when all are there', async () => {
    const events: string[] = [];
    const judge = judgeBy('together', async (asked, deadline) => {
      events.push(`${asked.length} together`);
      return always(0.5)(asked, deadline);
    });
    await train(judge, {}, {}, noting(events));
    expect(events).toEqual(['sampled', '4 together']);
  });

  it('are matched to their responses in whatever order they come, and are the same either way', async () => {
    const scoreOf = (response: string) => (response.includes('so 1') ? 0.8 : 0.3);
    let call = 0;
    const late = judgeBy('singly', async (asked) => {
      await setTimeout(40 - 10 * (call++ % 4));
      return asked.map(({ response }) => ({ score: scoreOf(response), failure: null }));
    });
    const together = judgeBy('together', async (asked) =>
      asked.map(({ response }) => ({ score: scoreOf(response), failure: null })),
    );
    const [a, b] = [await train(late), await train(together)];
    expect((await readRollouts(a.dir, 1)).flatMap((g) => g.responses.map((r) => r.thinking)).sort()).toEqual([
      0, 0, 0.3, 0.3, 0.8, 0.8,
    ]);
    expect(await readRollouts(a.dir, 1)).toEqual(await readRollouts(b.dir, 1));
    const metrics = async (s: Stage) => (await readRlMetrics(s.dir)).map(withoutTime);
    expect(await metrics(a)).toEqual(await metrics(b));
  });

  it('that have not come by the deadline are missing, with that as the reason', async () => {
    const judge = judgeBy('singly', async ([{ response }], deadline) => {
      if (response.includes('so 1')) return [{ score: 1, failure: null }];
      await new Promise((resolve) => deadline!.addEventListener('abort', resolve));
      return [{ score: null, failure: String(deadline!.reason) }];
    });
    const s = await train(judge, { judge_deadline_s: 0.05 });
    const responses = (await readRollouts(s.dir, 1)).flatMap((g) => g.responses);
    expect(responses.flatMap((r) => r.failure ?? [])).toEqual(
      Array(2).fill("no score within 0.05 s of the step's last response"),
    );
    expect((await readRlMetrics(s.dir))[0].coverage).toBe(0.5);
  });

  it('below rl.warn_coverage are warned of, once until they have recovered', async () => {
    const lines: string[] = [];
    let step = 0;
    const judge = judgeBy('together', async (asked) => {
      step += 1;
      return asked.map((_, i) =>
        i === 0 && step !== 3 ? { score: null, failure: 'HTTP 500' } : { score: 0.5, failure: null },
      );
    });
    await train(judge, {}, { steps: 4, warn: (line) => lines.push(line) });
    expect(lines.filter((line) => line.includes('scored'))).toEqual([
      'stage, step 1: only 3 of 4 responses were scored (HTTP 500)',
      'stage, step 4: only 3 of 4 responses were scored (HTTP 500)',
    ]);
  });

  it('end with the step where sampling fails: nobody waits for a judge then', async () => {
    let ended: unknown = null;
    const judge = judgeBy('singly', async (asked, deadline) => {
      await new Promise((resolve) => deadline!.addEventListener('abort', resolve));
      ended = deadline!.reason;
      return asked.map(() => ({ score: null, failure: 'late' }));
    });
    const broken: Engine = {
      ...policy,
      sample: async (...args) => {
        await policy.sample(...args);
        throw new Error('the machine is on fire');
      },
    };
    await expect(train(judge, {}, {}, broken)).rejects.toThrow('on fire');
    expect(ended).toBe('the step has ended');
  });
});
