/** The loop on a very small policy that has been taught what to answer, with judges made by hand. */
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Chat } from '../../src/data/chat/chat.ts';
import type { LoadedRecord, Records } from '../../src/data/records/reader.ts';
import { readRlMetrics, readRollouts, withoutTime } from '../../src/data/run-files.ts';
import type { Engine } from '../../src/engine/types.ts';
import { Interrupted, RunError } from '../../src/errors.ts';
import type { Refresh } from '../../src/train/refresh.ts';
import type { RlSettings } from '../../src/train/rollout.ts';
import type { Stage } from '../../src/train/stage.ts';
import { trustGrpo } from '../../src/train/trust-grpo.ts';
import type { Judge, JudgedResponse } from '../../src/trm/judge.ts';
import { scalings } from '../../src/trust/advantage.ts';
import { aggregations } from '../../src/trust/loss.ts';
import { openModel, optimizer, stageIn, teach, textRecord, untrained } from './small-policy.ts';

const questions = ['how many circle ?', 'how many square ?', 'read a1 ?', 'what is left ?'];
const records = questions.map((problem, i) => textRecord(i, problem));
const answers = [
  '<think> so 1 </think> <answer> 1 </answer> <|im_end|>',
  '<think> so 2 </think> <answer> 2 </answer> <|im_end|>',
  '<think> so 1 <answer> 1 </answer> <|im_end|>',
  // goes on beyond the limit of ten tokens
  '<think> red red red red red red red red red red red',
];

let dir: string;
let taught: string;
let policy: Engine;
let chat: Chat;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sophia-rl-'));
  const model = await untrained(dir);
  ({ engine: policy, chat } = await openModel(model));
  await teach(
    policy,
    chat,
    records.map((record, i) => ({ record, tokens: chat.tokenizer.encode(answers[i]) })),
  );
  taught = join(dir, 'taught');
  await policy.save(taught);
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])
    await copyFile(join(model, name), join(taught, name));
}, 60_000);
afterAll(async () => {
  await policy.dispose();
  await rm(dir, { recursive: true, force: true });
});

const recordsOf = (all: LoadedRecord[]): Records => ({
  length: all.length,
  source: 'records.jsonl',
  get: async (i) => all[i],
});

const settings: RlSettings = {
  variant: 'trust-grpo',
  prompts: 4,
  samples: 3,
  // near enough to greedy that everything comes as it was taught
  temperature: 0.05,
  top_p: 1,
  max_tokens: 10,
  alpha: 0.3,
  kl_beta: 0,
  clip_low: 0.2,
  clip_high: 0.2,
  aggregation: 'token_mean',
  scaling: 'paper',
  updates: 1,
  min_coverage: 0.5,
  warn_coverage: 0.9,
  judge_deadline_s: 60,
  optimizer: { ...optimizer, learning_rate: 1e-3 },
};

/** Scores every response by a rule, and remembers what it was asked. */
function judgeBy(rule: (asked: JudgedResponse, i: number) => number | null) {
  const asked: JudgedResponse[] = [];
  const judge: Judge = {
    name: 'by hand',
    takes: 'together',
    dispose: async () => {},
    score: async (responses) => {
      asked.push(...responses);
      return responses.map((response, i) => {
        const score = rule(response, i);
        return { score, failure: score === null ? 'no reply' : null };
      });
    },
  };
  return { judge, asked };
}

let folders = 0;
interface Run {
  judge?: Judge | null;
  over?: Partial<RlSettings>;
  stage?: Partial<Stage>;
  all?: LoadedRecord[];
  refresh?: Refresh | null;
}
async function train({ judge = null, over = {}, stage, all = records, refresh = null }: Run): Promise<Stage> {
  await policy.load(taught);
  const s = stageIn(join(dir, `run-${folders++}`), taught, { steps: 1, ...stage });
  await trustGrpo({
    policy,
    judge,
    records: recordsOf(all),
    chat,
    template: '{problem}',
    settings: { ...settings, ...over },
    stage: s,
    refresh,
  });
  return s;
}

describe('a step of Trust-GRPO', () => {
  it('asks the judge about well-formed responses only; a broken format scores 0 by rule', async () => {
    const { judge, asked } = judgeBy(() => 0.7);
    const s = await train({ judge });
    const groups = await readRollouts(s.dir, 1);
    const byQuestion = Object.fromEntries(groups.map((g) => [g.problem, g.responses]));
    expect(byQuestion[questions[0]].map((r) => [r.text, r.outcome, r.thinking])).toEqual(
      Array(3).fill(['<think> so 1 </think> <answer> 1 </answer>', 1, 0.7]),
    );
    expect(byQuestion[questions[1]].map((r) => [r.format_ok, r.right, r.thinking])).toEqual(
      Array(3).fill([true, false, 0.7]),
    );
    expect(byQuestion[questions[2]].map((r) => [r.format_ok, r.outcome, r.thinking, r.failure])).toEqual(
      Array(3).fill([false, 0, 0, null]),
    );
    expect(asked.map(({ record }) => record.problem).sort()).toEqual(
      [...Array(3).fill(questions[0]), ...Array(3).fill(questions[1])].sort(),
    );
    // only the question and the response reach the judge, and the response is whole
    expect(asked.every(({ response }) => /^<think>.*<\/answer>$/.test(response))).toBe(true);
  });

  it('a response cut off by the token limit has no answer: outcome 0, thinking 0, counted', async () => {
    const { judge } = judgeBy(() => 0.7);
    const s = await train({ judge });
    const cut = (await readRollouts(s.dir, 1)).find((g) => g.problem === questions[3])!;
    expect(cut.responses.map((r) => [r.finish, r.tokens, r.outcome, r.thinking])).toEqual(
      Array(3).fill(['length', 10, 0, 0]),
    );
    const [row] = await readRlMetrics(s.dir);
    expect(row).toMatchObject({
      truncated: 1 / 4,
      broken_format: 2 / 4,
      tied: 1,
      tied_right: 1 / 4,
      coverage: 1,
    });
  });

  it('a judge that fails leaves null and its reason, and costs coverage', async () => {
    const { judge } = judgeBy((_, i) => (i % 2 === 0 ? 0.8 : null));
    const s = await train({ judge });
    const responses = (await readRollouts(s.dir, 1)).flatMap((g) => g.responses);
    const failed = responses.filter((r) => r.failure !== null);
    expect(failed.map((r) => [r.thinking, r.failure])).toEqual(Array(3).fill([null, 'no reply']));
    const [row] = await readRlMetrics(s.dir);
    expect(row.coverage).toBe(0.5);
    // seven of twelve were scored: .8 thrice, and six broken formats at 0
    expect(row.thinking).toBeCloseTo((3 * 0.8) / 9, 12);
  });

  it('a failed score is neither rewarded nor punished: it takes the mean of its side', async () => {
    const { judge } = judgeBy((_, i) => (i % 3 === 0 ? null : i % 3 === 1 ? 0.4 : 0.8));
    const s = await train({ judge });
    for (const group of (await readRollouts(s.dir, 1)).filter((g) => g.responses[0].format_ok)) {
      const [missing, low, high] = [null, 0.4, 0.8].map(
        (score) => group.responses.find((r) => r.thinking === score)!,
      );
      expect(missing.reward).toBeCloseTo((low.reward + high.reward) / 2, 12);
      expect(missing.advantage).toBeCloseTo(0, 12);
    }
  });

  it('below rl.min_coverage the run stops, says why, and the step leaves nothing', async () => {
    const { judge } = judgeBy((_, i) => (i === 0 ? 0.5 : null));
    const failed = train({ judge });
    await expect(failed).rejects.toThrow(RunError);
    await expect(failed).rejects.toThrow(
      /^judge: only 1 of 6 responses were scored \(no reply\); mend the judge, or lower rl\.min_coverage\. Go on with: sophia train/,
    );
    const s = join(dir, `run-${folders - 1}`, 'stage');
    expect([existsSync(join(s, 'metrics.jsonl')), existsSync(join(s, 'rollouts/000001.jsonl'))]).toEqual([
      false,
      false,
    ]);
  });

  it('with min_coverage 0, a judge that never answers leaves outcome-only GRPO', async () => {
    const { judge } = judgeBy(() => null);
    const s = await train({ judge, over: { min_coverage: 0 }, all: [records[0]] });
    const [row] = await readRlMetrics(s.dir);
    expect(row).toMatchObject({ coverage: 0, thinking: null, reward: 1 });
    const grpo = await train({ over: { variant: 'grpo' }, all: [records[0]] });
    const rewards = async (of: Stage) => (await readRollouts(of.dir, 1))[0].responses.map((r) => r.reward);
    expect(await rewards(s)).toEqual(await rewards(grpo));
  });

  it('outcome-only GRPO has neither thinking rewards nor γ', async () => {
    const s = await train({ over: { variant: 'grpo' } });
    const groups = await readRollouts(s.dir, 1);
    expect(groups.map(({ gamma, mu_c, mu_w }) => [gamma, mu_c, mu_w])).toEqual(
      Array(4).fill([null, null, null]),
    );
    expect(
      groups.flatMap((g) => g.responses).every((r) => r.thinking === null && r.reward === r.outcome),
    ).toBe(true);
  });
});

describe('sampling', () => {
  it('a question’s responses depend on seed, item and sample, not on what is asked with it', async () => {
    const still = { temperature: 1.5, optimizer: { ...optimizer, learning_rate: 0 } };
    const texts = async (s: Stage) => {
      const groups = await Promise.all(Array.from({ length: s.steps }, (_, i) => readRollouts(s.dir, i + 1)));
      return groups.flat().map((g) => g.responses.map((r) => r.text));
    };
    const one = await train({ over: { ...still, prompts: 8 } });
    const four = await train({ over: { ...still, prompts: 2 }, stage: { steps: 4 } });
    expect(await texts(four)).toEqual(await texts(one));
    const other = await train({ over: { ...still, prompts: 8 }, stage: { seed: 1 } });
    expect(await texts(other)).not.toEqual(await texts(one));
  });
});

describe('the update', () => {
  // right and wrong answers in a group, so that there is something to learn
  const wild = { temperature: 2.5, samples: 12 };
  const { judge } = judgeBy(({ response }) => (response.length % 7) / 7);

  it('with β above 0 measures KL against the policy before the first step: 0 at first, then above', async () => {
    const s = await train({ judge, over: { ...wild, kl_beta: 0.04 }, stage: { steps: 3 } });
    const kl = (await readRlMetrics(s.dir)).map((row) => row.kl!);
    expect(Math.abs(kl[0])).toBeLessThan(1e-9);
    expect(kl[1]).toBeGreaterThan(0);
    expect(kl[2]).toBeGreaterThan(0);
    const without = await train({ judge, over: wild });
    expect((await readRlMetrics(without.dir))[0].kl).toBeNull();
  });

  it('with two updates a batch moves twice and clips what has moved too far', async () => {
    const fast = { ...wild, updates: 2, optimizer: { ...optimizer, warmup: 0, learning_rate: 0.02 } };
    const s = await train({ judge, over: fast });
    const [row] = await readRlMetrics(s.dir);
    expect(row.clip_fraction).toBeGreaterThan(0);
    expect(row.applied).toBe(true);
  });

  const kinds = Object.keys(aggregations).flatMap((aggregation) =>
    Object.keys(scalings).map((scaling) => [aggregation, scaling] as const),
  ) as [RlSettings['aggregation'], RlSettings['scaling']][];
  it.each(kinds)('%s with %s trains', async (aggregation, scaling) => {
    const s = await train({ judge, over: { ...wild, aggregation, scaling, kl_beta: 0.01, updates: 2 } });
    const [row] = await readRlMetrics(s.dir);
    expect(row.tied).toBeLessThan(1);
    expect(row.applied).toBe(true);
    expect(row.grad_norm).toBeGreaterThan(0);
  });

  it('interrupted and gone on with by another engine, is the same to the last bit: also its reference', async () => {
    const over = { ...wild, kl_beta: 0.04, updates: 2 };
    const whole = await train({ judge, over, stage: { steps: 4 } });
    const stop = new AbortController();
    const cut = {
      steps: 4,
      signal: stop.signal,
      progress: (done: number) => done === 2 && stop.abort(),
    };
    await expect(train({ judge, over, stage: cut })).rejects.toThrow(Interrupted);
    const s = stageIn(join(dir, `run-${folders - 1}`), taught, { steps: 4 });
    const again = await openModel(taught);
    onTestFinished(() => again.engine.dispose());
    await trustGrpo({
      policy: again.engine,
      judge,
      records: recordsOf(records),
      chat,
      template: '{problem}',
      settings: { ...settings, ...over },
      stage: s,
      refresh: null,
    });
    const metrics = async (of: Stage) => (await readRlMetrics(of.dir)).map(withoutTime);
    expect(await metrics(s)).toEqual(await metrics(whole));
    for (const step of [1, 2, 3, 4])
      expect(await readRollouts(s.dir, step)).toEqual(await readRollouts(whole.dir, step));
  });
});
