/** `sophia sample` from outside: a checkpoint is asked about a picture. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeStartModel } from '../../src/experiments/start-model.ts';
import { goldenJson } from '../models/golden.ts';
import { adapter, hubModel, hubPicture, smallest, sophia } from './sophia.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-sample-'));
  await writeStartModel(join(folder, 'model'), smallest, 0);
  await sophia(folder, 'world', '--count', '6', '--split', 'test-id', '--out', 'world');
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const sample = (...args: string[]) => sophia(folder, 'sample', ...args);
const picture = () => join('world/images', readdirSync(join(folder, 'world/images'))[0]);

describe('a Qwen2.5-VL folder from a hub', () => {
  it.each([
    ['one_image', 'text.png', 'Solve for x.'],
    ['chart', 'chart.png', 'How many bars are in the chart?'],
  ])('answers %s in its own chat template as transformers does', async (name, image, prompt) => {
    const { code, stdout, stderr } = await sample(
      ...['--model', hubModel, '--image', hubPicture(image), '--prompt', prompt, '--max-tokens', '24'],
    );
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${goldenJson('golden/manifest.json').cases[name].greedy_text[0]}\n`,
    });
    expect(stderr).toBe('cut off after 24 tokens (--max-tokens)\n');
  });

  it('streams: the response comes in pieces, which together are what --json says at once', async () => {
    const args = ['--model', hubModel, '--prompt', 'Count.', '--max-tokens', '300', '--temperature', '1'];
    const streamed = await sample(...args, '--seed', '4');
    expect(streamed.pieces.length).toBeGreaterThan(2);
    const whole = await sample(...args, '--seed', '4', '--json');
    expect(`${JSON.parse(whole.stdout).response}\n`).toBe(streamed.stdout);
  });
});

it('an adapter answers as it does merged into its base', async () => {
  const beside = ['--model', hubModel, '--adapter', adapter];
  await sophia(folder, 'export', ...beside, '--out', 'merged');
  const ask = ['--image', hubPicture('chart.png'), '--prompt', 'Count.', '--max-tokens', '16'];
  const [bare, adapted, merged] = await Promise.all([
    sample('--model', hubModel, ...ask),
    sample(...beside, ...ask),
    sample('--model', 'merged', ...ask),
  ]);
  expect(adapted.code).toBe(0);
  expect(adapted.stdout).toBe(merged.stdout);
  expect(adapted.stdout).not.toBe(bare.stdout);
});

describe("a world's checkpoint", () => {
  const ask = (...more: string[]) =>
    sample('--model', 'model', '--image', picture(), '--prompt', 'describe', '--max-tokens', '9', ...more);

  it('answers in its own words', async () => {
    const { code, stdout } = await ask('--temperature', '1', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      model: 'model',
      adapter: null,
      image: [picture()],
      prompt: 'describe',
      temperature: 1,
      seed: 0,
      response: expect.stringMatching(/^(\S+ ?)*$/),
      tokens: expect.any(Number),
      finish: expect.stringMatching(/^(stop|length)$/),
    });
  });

  it('says the same for the same seed, something else for another, whatever the threads', async () => {
    const [first, again, other] = await Promise.all([
      ask('--temperature', '1', '--seed', '1', '--threads', '1'),
      ask('--temperature', '1', '--seed', '1', '--threads', '2'),
      ask('--temperature', '1', '--seed', '2', '--threads', '1'),
    ]);
    expect(again.stdout).toBe(first.stdout);
    expect(other.stdout).not.toBe(first.stdout);
  });
});

describe('wrong input ends with exit code 2 and one line', () => {
  it.each([
    ['no folder', ['--model', 'nowhere'], /^--model nowhere: no such folder$/],
    ['no model', ['--model', 'world'], /^--model world: holds no config\.json; give a Hugging Face model/],
    ['a run', ['--model', 'run'], /^--model run: is a run or a stage of one; give one of the folders in its/],
    [
      'a URL',
      ['--model', 'https://example.org/v1'],
      /^--model https:.*: models behind a URL cannot be asked/,
    ],
    ['no picture', ['--image', 'no.png'], /^no\.png: cannot read: no such file$/],
    ['no PNG', ['--image', 'broken.png'], /^broken\.png: cannot decode the picture/],
    [
      'a placeholder in the text',
      ['--prompt', 'a <|image_pad|>'],
      /^--prompt: 0 picture\(s\) but 1 placeholder/,
    ],
    ['no tokens', ['--max-tokens', '0'], /^--max-tokens 0: must be a whole number from 1 on$/],
    ['a cold temperature', ['--temperature=-1'], /^--temperature -1: must be a number from 0 on$/],
    ['half a seed', ['--seed', '0.5'], /^--seed 0\.5: must be a whole number from 0 on$/],
  ])('%s', async (_what, args, line) => {
    mkdirSync(join(folder, 'run/checkpoints'), { recursive: true });
    writeFileSync(join(folder, 'broken.png'), 'not a picture');
    const { code, stdout, stderr } = await sample('--model', 'model', '--prompt', 'describe', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(line);
  });

  it('no prompt', async () => {
    const { code, stderr } = await sample('--model', 'model');
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/^required option '--prompt/),
    });
  });
});
