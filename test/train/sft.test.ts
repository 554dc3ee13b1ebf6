/** Supervised fine-tuning on a very small model: plan, loss, logging, saving, stopping, going on. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Chat } from '../../src/data/chat/chat.ts';
import { recordPrompt } from '../../src/data/chat/prompting.ts';
import { readSftMetrics, withoutTime } from '../../src/data/run-files.ts';
import type { Engine } from '../../src/engine/types.ts';
import { Interrupted, RunError } from '../../src/errors.ts';
import { type BatchSource, type Phase, planOf, trainSft } from '../../src/train/sft.ts';
import type { Stage } from '../../src/train/stage.ts';
import { openModel, optimizer, stageIn, textRecord, untrained } from './small-policy.ts';

let dir: string;
let model: string;
let opened: { engine: Engine; chat: Chat };
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sophia-sft-'));
  model = await untrained(dir);
  opened = await openModel(model);
});
afterAll(async () => {
  await opened.engine.dispose();
  await rm(dir, { recursive: true, force: true });
});

/** The engine with the untrained model in it. */
async function open(): Promise<{ engine: Engine; chat: Chat }> {
  await opened.engine.load(model);
  return opened;
}

/** Two examples; the second has a token that carries no loss. */
function source(chat: Chat): BatchSource {
  return async (k) => {
    const prompt = async (text: string) => recordPrompt(chat, textRecord(0, text), '{problem}');
    const { encode } = chat.tokenizer;
    return [
      { prompt: await prompt(`what is ${k} ?`), tokens: encode('red circle'), weights: [1, 1] },
      { prompt: await prompt('how many ?'), tokens: encode(`${k % 4} green`), weights: [0, 1] },
    ];
  };
}

let folders = 0;
const stage = (over: Partial<Stage> = {}) => stageIn(join(dir, `run-${folders++}`), model, over);
const phases: Phase[] = [{ steps: 6, cycle: ['words'] }];
const weightsOf = (s: Stage, step: string) =>
  readFileSync(join(s.dir, 'checkpoints', step, 'model.safetensors'));

describe('the plan of a cold start', () => {
  it('repeats each phase’s cycle from its beginning, and goes on through each kind’s batches', () => {
    const plan = planOf([
      { steps: 5, cycle: ['captions', 'captions', 'lookups'] },
      { steps: 3, cycle: ['lookups', 'mixed'] },
    ]);
    expect(plan.map(({ kind, k }) => `${kind} ${k}`)).toEqual([
      'captions 0',
      'captions 1',
      'lookups 0',
      'captions 2',
      'captions 3',
      'lookups 1',
      'mixed 0',
      'lookups 2',
    ]);
  });
});

describe('a step', () => {
  it('has the loss −Σ w·log p / Σ w over the batch, counts trained tokens, and lowers the loss', async () => {
    const { engine, chat } = await open();
    const batch = await source(chat)(0);
    const scored = await engine.logprobs(batch.map(({ prompt, tokens }) => ({ prompt, completion: tokens })));
    const [[a, b], [, d]] = scored.map(({ logprobs }) => logprobs);
    const s = stage();
    await trainSft({ engine, sources: { words: source(chat) }, phases, optimizer, stage: s });
    const rows = await readSftMetrics(s.dir);
    expect(rows[0].loss).toBeCloseTo(-(a + b + d) / 3, 5);
    expect(rows[0].by_kind).toEqual({ words: rows[0].loss });
    expect(rows.map(({ tokens }) => tokens)).toEqual([3, 3, 3, 3, 3, 3]);
    expect(rows.map(({ learning_rate }) => learning_rate)).toEqual([0.005, 0.01, 0.01, 0.01, 0.01, 0.01]);
    expect(rows.every(({ applied }) => applied)).toBe(true);
    expect(rows[5].loss!).toBeLessThan(rows[0].loss!);
  });

  it('moves nothing for a token of weight 0', async () => {
    const { engine, chat } = await open();
    const withToken = (word: string): BatchSource => {
      return async () => [
        {
          prompt: await recordPrompt(chat, textRecord(0, 'how many ?'), '{problem}'),
          // the last token: what follows it would see it
          tokens: chat.tokenizer.encode(`red ${word}`),
          weights: [1, 0],
        },
      ];
    };
    const [one, other] = [stage(), stage()];
    await trainSft({ engine, sources: { words: withToken('circle') }, phases, optimizer, stage: one });
    await engine.load(model);
    await trainSft({ engine, sources: { words: withToken('square') }, phases, optimizer, stage: other });
    expect(weightsOf(one, '000006').equals(weightsOf(other, '000006'))).toBe(true);
  });

  it('whose gradient is not finite is logged as not applied and changes nothing; five on end stop the stage', async () => {
    const { engine, chat } = await open();
    const broken: BatchSource = async (k) => {
      const batch = await source(chat)(k);
      return k === 0 ? batch : batch.map((example) => ({ ...example, weights: [Number.NaN, 1] }));
    };
    const s = stage({ steps: 20, saveEvery: 1 });
    const run = trainSft({
      engine,
      sources: { words: broken },
      phases: [{ steps: 20, cycle: ['words'] }],
      optimizer,
      stage: s,
    });
    await expect(run).rejects.toThrow(RunError);
    await expect(run).rejects.toThrow(
      /^stage: the gradient was not finite in 5 steps on end \(last: step 6\); lower the learning rate$/,
    );
    const rows = await readSftMetrics(s.dir);
    expect(rows.map(({ applied }) => applied)).toEqual([true, false, false, false, false]);
    expect(rows[1]).toMatchObject({ loss: null, grad_norm: null });
    const kept = weightsOf(s, '000005');
    await engine.load(model);
    const first = stage({ steps: 1 });
    const one = [{ steps: 1, cycle: ['words'] }];
    await trainSft({ engine, sources: { words: source(chat) }, phases: one, optimizer, stage: first });
    expect(weightsOf(first, '000001').equals(kept)).toBe(true);
  });
});

describe('checkpoints', () => {
  it('come every so many steps and after the last; older ones go, but for `keep`', async () => {
    const { engine, chat } = await open();
    const s = stage({ steps: 5, saveEvery: 2, keep: 2 });
    const seen: string[][] = [];
    const progress = () => seen.push(safeList(join(s.dir, 'checkpoints')));
    await trainSft({
      engine,
      sources: { words: source(chat) },
      phases: [{ steps: 5, cycle: ['words'] }],
      optimizer,
      stage: { ...s, progress },
    });
    // what stood there as each step ended, before it was saved
    expect(seen).toEqual([[], [], ['000002'], ['000002'], ['000002', '000004']]);
    expect(safeList(join(s.dir, 'checkpoints'))).toEqual(['000004', '000005']);
  });

  it('are folders of the model with its tokenizer, and state beside them', async () => {
    const { engine, chat } = await open();
    const s = stage();
    await trainSft({ engine, sources: { words: source(chat) }, phases, optimizer, stage: s });
    const checkpoint = join(s.dir, 'checkpoints', '000006');
    const small = readdirSync(model).filter((name) => name !== 'model.safetensors');
    expect(readdirSync(checkpoint)).toEqual([...small, 'model.safetensors', 'trainer'].sort());
    expect(JSON.parse(readFileSync(join(checkpoint, 'trainer', 'state.json'), 'utf8'))).toEqual({
      format: 1,
      stage: 'stage',
      step: 6,
      total_steps: 6,
      seed: 0,
      position: 6,
    });
  });
});

function safeList(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

describe('an interrupted stage', () => {
  it('saves the step it is at, says how to go on, and goes on bit for bit', async () => {
    const { engine, chat } = await open();
    const whole = stage();
    await trainSft({ engine, sources: { words: source(chat) }, phases, optimizer, stage: whole });

    const stop = new AbortController();
    const s = stage({ signal: stop.signal, saveEvery: 4 });
    const progress = (done: number) => {
      if (done === 3) stop.abort();
    };
    await engine.load(model);
    const interrupted = trainSft({
      engine,
      sources: { words: source(chat) },
      phases,
      optimizer,
      stage: { ...s, progress },
    });
    await expect(interrupted).rejects.toThrow(Interrupted);
    await expect(interrupted).rejects.toThrow(
      'stage is saved at step 3 of 6. Go on with: sophia train --run DIR --resume',
    );
    // another engine, as in another process
    const again = await openModel(model);
    onTestFinished(() => again.engine.dispose());
    const signal = new AbortController().signal;
    await trainSft({
      engine: again.engine,
      sources: { words: source(chat) },
      phases,
      optimizer,
      stage: { ...s, signal },
    });
    expect(weightsOf(s, '000006').equals(weightsOf(whole, '000006'))).toBe(true);
    const rows = async (of: Stage) => (await readSftMetrics(of.dir)).map(withoutTime);
    expect(await rows(s)).toEqual(await rows(whole));
  });

  it('is not interrupted any more at its last step: there is nothing left to stop', async () => {
    const { engine, chat } = await open();
    const stop = new AbortController();
    const s = stage({ signal: stop.signal, progress: (done) => done === 6 && stop.abort() });
    await trainSft({ engine, sources: { words: source(chat) }, phases, optimizer, stage: s });
    expect(safeList(join(s.dir, 'checkpoints'))).toEqual(['000006']);
  });

  it('does not go on from a checkpoint of another seed or length', async () => {
    const { engine, chat } = await open();
    const s = stage();
    const sources = { words: source(chat) };
    await trainSft({ engine, sources, phases, optimizer, stage: s });
    const other = trainSft({ engine, sources, phases, optimizer, stage: { ...s, seed: 1 } });
    await expect(other).rejects.toThrow(
      /000006: is of stage, seed 0, 6 steps, not of stage, seed 1, 6 steps/,
    );
  });
});
