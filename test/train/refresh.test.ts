/** A TRM that is trained on while its policy learns, on very small models. */
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Chat } from '../../src/data/chat/chat.ts';
import type { LoadedRecord, Records } from '../../src/data/records/reader.ts';
import { latestCheckpoint, readRlMetrics, readRollouts, withoutTime } from '../../src/data/run-files.ts';
import { Interrupted } from '../../src/errors.ts';
import { type Refresh, trmFolder } from '../../src/train/refresh.ts';
import type { Stage } from '../../src/train/stage.ts';
import { trustGrpo } from '../../src/train/trust-grpo.ts';
import type { Annotator } from '../../src/trm/annotate.ts';
import { checkpointJudge } from '../../src/trm/checkpoint-judge.ts';
import { judgeConfigOf } from '../../src/trm/judge-config.ts';
import { openJudge } from '../../src/trm/open-judge.ts';
import { heldOutQuestions } from '../../src/trm/question.ts';
import { openModel, optimizer, stageIn, teach, textRecord, untrained } from './small-policy.ts';

const SUBJECTS = ['circle', 'square', 'triangle', 'red', 'green', 'blue', 'yellow', 'H', 'K', 'L', 'O', 'R'];
const records = SUBJECTS.map((subject, i) => textRecord(i, `how many ${subject} ?`));
const answers = records.map((_, i) => `<think> so ${1 + (i % 2)} </think> <answer> ${1 + (i % 2)} </answer>`);
const file: Records = { length: records.length, source: 'records.jsonl', get: async (i) => records[i] };
const isHeldOut = heldOutQuestions(0, 0.4);

type Rule = (record: LoadedRecord, response: string) => number | null;
const annotatorBy = (rule: Rule): Annotator => ({
  name: 'by hand',
  takes: 'together',
  score: async (asked) =>
    asked.map(({ record, response }) => {
      const score = rule(record, response);
      return { score, failure: score === null ? 'no reply' : null };
    }),
});
const byContent: Rule = (_, response) => (response.includes('so 1') ? 0.9 : 0.1);

let dir: string;
let taught: string;
let chat: Chat;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sophia-refresh-'));
  const model = await untrained(dir);
  const opened = await openModel(model);
  ({ chat } = opened);
  const lessons = records.map((record, i) => ({
    record,
    tokens: chat.tokenizer.encode(`${answers[i]} <|im_end|>`),
  }));
  await teach(opened.engine, chat, lessons, 300);
  taught = join(dir, 'taught');
  await mkdir(taught);
  await opened.engine.save(taught);
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])
    await copyFile(join(model, name), join(taught, name));
  await opened.engine.dispose();
}, 60_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A run of four steps; the TRM starts as a copy of the policy, which has never judged anything. */
async function train(folder: string, over: Partial<Stage> = {}, rule: Rule = byContent): Promise<Stage> {
  const policy = await openModel(taught);
  const trm = await openModel(taught);
  onTestFinished(async () => {
    await policy.engine.dispose();
    await trm.engine.dispose();
  });
  const config = { ...judgeConfigOf(chat, '{problem}'), reads: 'expected' as const };
  const refresh: Refresh = {
    trm: trm.engine,
    dir: taught,
    judge: checkpointJudge({ engine: trm.engine, chat, config }),
    chat,
    config,
    annotator: annotatorBy(rule),
    isHeldOut,
    settings: {
      every: 2,
      steps: 150,
      batch: 12,
      optimizer: { ...optimizer, learning_rate: 0.01, warmup: 0 },
    },
  };
  const s = stageIn(join(dir, folder), taught, { steps: 4, saveEvery: 3, ...over });
  await trustGrpo({
    policy: policy.engine,
    judge: refresh.judge,
    records: file,
    chat,
    template: '{problem}',
    settings: {
      variant: 'trust-grpo',
      prompts: 6,
      samples: 2,
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
      warn_coverage: 0.9,
      // an untaught TRM scores nothing
      min_coverage: 0,
      judge_deadline_s: 60,
      optimizer: { ...optimizer, learning_rate: 1e-3 },
    },
    stage: s,
    refresh,
  });
  return s;
}

const metricsOf = async (s: Stage) => (await readRlMetrics(s.dir)).map(withoutTime);

/** How far the TRM is off in the step after its first refresh, on questions that it may learn from. */
async function errorOnLearnt(s: Stage, rule: Rule): Promise<number> {
  const errors = (await readRollouts(s.dir, 3)).flatMap(({ problem_id, responses }) => {
    const record = records[Number(problem_id)];
    const judged = isHeldOut(record) ? [] : responses.filter((r) => r.thinking !== null && r.format_ok);
    return judged.map(({ text, thinking }) => Math.abs(thinking! - rule(record, text)!));
  });
  expect(errors.length).toBeGreaterThan(0);
  return errors.reduce((a, b) => a + b, 0) / errors.length;
}

describe('refreshing the TRM', () => {
  it('trains it at its interval on the newest responses, and measures it on held-out questions before and after', async () => {
    const s = await train('whole');
    const rows = await metricsOf(s);
    expect(rows.map(({ trm }) => trm !== null)).toEqual([false, true, false, true]);
    const [first, second] = [rows[1].trm!, rows[3].trm!];
    // it could not judge at all before, and has learnt from questions that are not those it is measured on
    expect(first.before.n).toBe(0);
    expect(first.trained_on).toBeGreaterThan(0);
    expect(first.trained_on).toBeLessThan(first.annotated);
    expect(first.after.n).toBe(first.annotated - first.trained_on);
    expect(first.loss).toBeLessThan(1);
    // what it has learnt is what it says in the next steps
    expect(second.before.n).toBeGreaterThan(0);
    expect(await errorOnLearnt(s, byContent)).toBeLessThan(0.15);
  });

  it('never learns from questions that are held out', async () => {
    // what is true of the others is false of these: who has not learnt from them is wrong about them
    const contrary: Rule = (record, response) => {
      const score = byContent(record, response)!;
      return isHeldOut(record) ? 1 - score : score;
    };
    const s = await train('contrary', {}, contrary);
    const { after, annotated, trained_on } = (await metricsOf(s))[1].trm!;
    expect(trained_on).toBe(annotated - after.n);
    expect(after.mae).toBeGreaterThan(3 * (await errorOnLearnt(s, contrary)));
  });

  it('warns where its annotator fails, and learns from what is left', async () => {
    const warned: string[] = [];
    const failing: Rule = (record, response) =>
      Number(record.problem_id) % 2 === 0 ? null : byContent(record, response);
    await train('failing', { warn: (line) => warned.push(line) }, failing);
    const lines = warned.filter((line) => line.includes('annotated'));
    expect(lines[0]).toMatch(
      /^stage, refresh at step 2: only \d+ of \d+ responses were annotated \(no reply\)$/,
    );
  });

  it('is part of the state: an interrupted run goes on exactly, TRM and its optimizer included', async () => {
    const whole = await train('uncut');
    const stop = new AbortController();
    const progress = (done: number) => done === 3 && stop.abort();
    await expect(train('cut', { signal: stop.signal, progress })).rejects.toThrow(Interrupted);
    const s = await train('cut');
    expect(await metricsOf(s)).toEqual(await metricsOf(whole));
    for (const step of [1, 2, 3, 4])
      expect(await readRollouts(s.dir, step)).toEqual(await readRollouts(whole.dir, step));
  });

  it('leaves the TRM in every checkpoint as a folder that can be named as a judge', async () => {
    const s = await train('kept');
    const last = await latestCheckpoint(s.dir);
    const model = trmFolder(last!.dir);
    const settings = { model, template: null, thinks: null, reads: null, max_tokens: null, steps: null };
    const judge = await openJudge(settings, { provider: 'cpu', threads: 1, tokenBudget: 2048 });
    onTestFinished(() => judge.dispose());
    const response = '<think> so 1 </think> <answer> 1 </answer>';
    const [{ score }] = await judge.score([{ record: records[0], response }]);
    expect(score).toBeGreaterThan(0.7);
  });
});
