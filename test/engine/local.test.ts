/** The local engine through its interface: a thread of its own, references, saving and going on. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalEngine } from '../../src/engine/local/index.ts';
import type { Engine, Sequence } from '../../src/engine/types.ts';
import { InputError } from '../../src/errors.ts';
import { config, goldenJson } from '../models/golden.ts';
import { completionRow, GOLDEN_MODEL, goldenCase, goldenStep, greatestDifference } from './golden-cases.ts';
import { textPrompt } from './small-model.ts';

const options = { trainable: true, provider: 'cpu', threads: 1, tokenBudget: 100_000 };

let root: string;
let engine: Engine;
let sequences: Sequence[];
let ones: number[][];
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'engine-'));
  engine = await createLocalEngine({ ...options, source: { dir: GOLDEN_MODEL } });
  sequences = (await goldenCase('batch')).sequences;
  ones = sequences.map(({ completion }) => completion.map(() => 1));
}, 60_000);
afterAll(async () => {
  await engine.dispose();
  rmSync(root, { recursive: true });
});

const score = async (of: Engine) => (await of.logprobs(sequences)).map((s) => s.logprobs);
const restart = () => engine.load(GOLDEN_MODEL);

describe('an engine', () => {
  it('says what it is', () => {
    expect(engine.capabilities).toEqual({
      name: 'local',
      provider: 'cpu',
      threads: 1,
      train: true,
      parameters: goldenJson('golden/manifest.json').model_params,
      contextLength: 4096,
      vocabulary: 672,
    });
  });

  it('scores as transformers does, across the thread border', async () => {
    const golden = await goldenCase('batch');
    (await score(engine)).forEach((row, i) => {
      expect(greatestDifference(row, completionRow(golden, 'completion_logprobs', i))).toBeLessThan(2e-5);
    });
  });

  it('gives weights that are computed from log p the same gradient as weights that are given', async () => {
    await restart();
    const scored = await score(engine);
    const square = (logprobs: number[][]) => logprobs.map((row) => row.map((p) => p / 100));
    await engine.backward(sequences, square);
    const computed = await engine.step(goldenStep);
    const after = await score(engine);
    await restart();
    await engine.backward(sequences, square(scored));
    expect(await engine.step(goldenStep)).toEqual(computed);
    expect(await score(engine)).toEqual(after);
  });

  it('drops a gradient that is not finite: nothing changes, the next step is as if it had not been', async () => {
    await restart();
    await engine.backward(sequences, ones);
    await engine.step(goldenStep);
    const before = await score(engine);
    await engine.backward(sequences, ones);
    const clean = await engine.step({ ...goldenStep, learningRate: 0 });

    const bad = ones.map((row, i) => row.map((_, k) => (i === 1 && k === 2 ? Number.NaN : 1)));
    await engine.backward(sequences, bad);
    const dropped = await engine.step(goldenStep);
    expect(dropped.applied).toBe(false);
    expect(await score(engine)).toEqual(before);
    await engine.backward(sequences, ones);
    expect(await engine.step({ ...goldenStep, learningRate: 0 })).toEqual(clean);
  });

  it('answers calls in the order in which they were made', async () => {
    await restart();
    const answers = await Promise.all([
      score(engine),
      engine.backward(sequences, ones),
      engine.step(goldenStep),
      score(engine),
    ]);
    expect(greatestDifference(answers[0].flat(), answers[1].flat())).toBeLessThan(2e-6);
    expect(answers[3]).not.toEqual(answers[0]);
  });

  it('goes on after a call that it had to refuse', async () => {
    const bad = { prompt: textPrompt(1), completion: [9999] };
    await expect(engine.logprobs([bad])).rejects.toThrow(InputError);
    expect((await score(engine)).length).toBe(sequences.length);
  });

  it('leaves the main thread free: timers and HTTP are served during a long backward pass', async () => {
    const server = createServer((_, response) => response.end('judged'));
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const many = Array.from({ length: 60 }, (_, i) => sequences[i % 4]);
    let running = true;
    const started = performance.now();
    const backward = engine
      .backward(
        many,
        many.map((_, i) => ones[i % 4]),
      )
      .finally(() => {
        running = false;
      });
    let replies = 0;
    let slowest = 0;
    while (running) {
      const asked = performance.now();
      expect(await (await fetch(url)).text()).toBe('judged');
      if (running) replies++;
      slowest = Math.max(slowest, performance.now() - asked);
      await new Promise((tick) => setTimeout(tick, 5));
    }
    const duration = performance.now() - started;
    await backward;
    server.close();
    expect(replies).toBeGreaterThan(5);
    expect(slowest).toBeLessThan(duration / 2);
  });
});

describe('a reference', () => {
  it('stays what the model was while the model learns, and can sample and score', async () => {
    await restart();
    const reference = await engine.reference();
    const before = await score(engine);
    const greedy = { samples: 1, maxTokens: 6, temperature: 0, seed: 0, stop: [] };
    const prompts = sequences.map((s) => s.prompt);
    const answers = await reference.sample(prompts, greedy);
    for (let i = 0; i < 2; i++) {
      await engine.backward(sequences, ones);
      await engine.step({ ...goldenStep, learningRate: 0.01 });
    }
    expect(await score(reference)).toEqual(before);
    expect(await reference.sample(prompts, greedy)).toEqual(answers);
    expect(await score(engine)).not.toEqual(before);
    expect(await engine.sample(prompts, greedy)).not.toEqual(answers);
    await reference.dispose();
  });

  it('is frozen', async () => {
    const reference = await engine.reference();
    expect(reference.capabilities.train).toBe(false);
    await expect(reference.backward(sequences, ones)).rejects.toThrow('this model is frozen');
    await expect(reference.step(goldenStep)).rejects.toThrow('this model is frozen');
    await reference.dispose();
  });

  it('goes alone when it is disposed of', async () => {
    const reference = await engine.reference();
    await reference.dispose();
    await expect(reference.logprobs(sequences)).rejects.toThrow('this engine was disposed of');
    expect((await score(engine)).length).toBe(sequences.length);
  });
});

describe('saved and loaded', () => {
  const weightsOf = async (of: Engine, name: string) => {
    await of.save(join(root, name));
    return readFileSync(join(root, name, 'model.safetensors'));
  };

  it('with its optimizer, a model goes on bit for bit in another engine', async () => {
    await restart();
    for (let i = 0; i < 2; i++) {
      await engine.backward(sequences, ones);
      await engine.step(goldenStep);
    }
    const dir = join(root, 'checkpoint');
    await engine.save(dir, { optimizer: true });
    const goOn = async (of: Engine) => {
      await of.backward(sequences, ones);
      return of.step(goldenStep);
    };
    const here = await goOn(engine);

    const other = await createLocalEngine({ ...options, source: { dir } });
    await other.load(dir, { optimizer: true });
    expect(await goOn(other)).toEqual(here);
    const equal = (await weightsOf(engine, 'here')).equals(await weightsOf(other, 'there'));
    expect(equal).toBe(true);

    // without its moments the step is another one
    await other.load(dir);
    expect(await goOn(other)).toEqual(here);
    expect((await weightsOf(other, 'afresh')).equals(await weightsOf(engine, 'here'))).toBe(false);
    await other.dispose();
  });

  it('loading drops the gradient, and without the optimizer AdamW starts afresh', async () => {
    await restart();
    await engine.backward(sequences, ones);
    await engine.step(goldenStep);
    const first = await weightsOf(engine, 'first');
    await engine.backward(sequences, ones);
    await restart();
    await engine.backward(sequences, ones);
    await engine.step(goldenStep);
    expect((await weightsOf(engine, 'second')).equals(first)).toBe(true);
  });

  it('a random model is the same for the same seed, and another for another', async () => {
    const small = { ...config, text: { ...config.text, vocabulary: 20 } };
    const files: Buffer[] = [];
    for (const seed of [1, 1, 2]) {
      const made = await createLocalEngine({ ...options, source: { config: small, seed } });
      files.push(await weightsOf(made, `random-${files.length}`));
      await made.dispose();
    }
    expect(files[0].equals(files[1])).toBe(true);
    expect(files[0].equals(files[2])).toBe(false);
  });
});

describe('the thread', () => {
  const nextThread = () => new Promise<Worker>((resolve) => process.once('worker', resolve));
  const ended = (thread: Worker) =>
    thread.threadId < 0 || new Promise((resolve) => thread.once('exit', resolve));

  it('ends when the folder cannot be read, with one line that says why', async () => {
    const thread = nextThread();
    const dir = join(root, 'nothing');
    const error = await createLocalEngine({ ...options, source: { dir } }).catch((e) => e);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toBe(
      `${join(dir, 'config.json')}: not found; give a Hugging Face model folder (config.json, *.safetensors, tokenizer.json)`,
    );
    await ended(await thread);
  });

  it('ends when the engine is disposed of, once or twice; calls are refused from then on', async () => {
    const thread = nextThread();
    const other = await createLocalEngine({ ...options, source: { dir: GOLDEN_MODEL } });
    const reference = await other.reference();
    await other.dispose();
    await ended(await thread);
    await other.dispose();
    await reference.dispose();
    await expect(other.logprobs(sequences)).rejects.toThrow('this engine was disposed of');
    await expect(reference.logprobs(sequences)).rejects.toThrow('this engine was disposed of');
  });

  it('breaking down fails the calls that wait and those that come', async () => {
    const thread = nextThread();
    const other = await createLocalEngine({ ...options, source: { dir: GOLDEN_MODEL } });
    const waiting = expect(other.logprobs(sequences)).rejects.toThrow("the engine's thread ended");
    await (await thread).terminate();
    await waiting;
    await expect(other.logprobs(sequences)).rejects.toThrow("the engine's thread ended");
  });

  it('does not keep a process alive that has nothing to ask', async () => {
    const program = join(root, 'program.mts');
    const source = fileURLToPath(new URL('../../src/engine/local/index.ts', import.meta.url));
    writeFileSync(
      program,
      `import { createLocalEngine } from ${JSON.stringify(source)};
       const options = ${JSON.stringify({ ...options, source: { dir: GOLDEN_MODEL } })};
       const [first, second] = await Promise.all([createLocalEngine(options), createLocalEngine(options)]);
       const prompt = { chunks: [{ tokens: [1, 2, 3] }] };
       const [scored] = await first.logprobs([{ prompt, completion: [4] }]);
       await first.dispose();
       await second.logprobs([{ prompt, completion: [4] }]);
       console.log(scored.logprobs.length);`,
    );
    const child = spawn(process.execPath, ['--import', 'tsx', program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    child.stderr.on('data', (text) => (output += text));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(output).toBe('1\n');
    expect(code).toBe(0);
  });
});
