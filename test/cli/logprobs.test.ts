/** `sophia logprobs` from outside: golden log-probabilities of transformers, and what is wrong with a row. */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeStartModel } from '../../src/experiments/start-model.ts';
import { goldenJson, goldenTensors, images } from '../models/golden.ts';
import { adapter, hubModel, hubPicture, smallest, sophia, writeLoraCheckpoint } from './sophia.ts';

const binary = fileURLToPath(new URL('../../bin/sophia.js', import.meta.url));
const sharded = fileURLToPath(new URL('../fixtures/qwen2_5_vl_sharded', import.meta.url));
const manifest = goldenJson('golden/manifest.json').cases;

interface Part {
  text?: string;
  image?: string;
}
interface GoldenRow {
  messages: { role: string; content: string | Part[] }[];
  completion: string;
  completion_ids: number[];
}
interface Scored {
  prompt_ids: number[];
  completion_ids: number[];
  logprobs: number[];
  greedy_ids?: number[];
}

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-logprobs-'));
  mkdirSync(join(folder, 'rows'));
  for (const { file } of images) cpSync(hubPicture(file), join(folder, 'rows', file));
  await writeStartModel(join(folder, 'world-model'), smallest, 0);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** A golden chat as transformers takes it: the golden file leaves out `type` and names pictures. */
function chat(messages: GoldenRow['messages'], directory = '') {
  const part = ({ text, image }: Part) =>
    image === undefined
      ? { type: 'text', text }
      : { type: 'image', image: `${directory}${images.find(({ name }) => name === image)!.file}` };
  return messages.map(({ role, content }) => ({
    role,
    content: typeof content === 'string' ? content : content.map(part),
  }));
}

function writeRows(name: string, rows: unknown[]): string {
  const file = join(folder, 'rows', name);
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}

const parse = (stdout: string): (Scored & Record<string, unknown>)[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

async function scored(rows: unknown[], ...more: string[]) {
  const file = writeRows('given.jsonl', rows);
  const { code, stdout, stderr } = await sophia(
    folder,
    'logprobs',
    '--model',
    hubModel,
    '--in',
    file,
    ...more,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return parse(stdout);
}

const question = (text = 'Count.') => [{ role: 'user', content: text }];
const asked = (...content: object[]) => ({ messages: [{ role: 'user', content }], completion: 'A' });

describe.each(['text_only', 'one_image', 'chart', 'two_images', 'multi_turn', 'batch'])(
  'agrees with transformers on %s in',
  (name) => {
    const { rows, greedy_ids: greedy } = manifest[name] as { rows: GoldenRow[]; greedy_ids: number[][] };
    let got: Scored[];
    beforeAll(async () => {
      const given = rows.map(({ messages, completion }) => ({ messages: chat(messages), completion }));
      got = await scored(given, '--greedy', '24');
    });

    it('prompt ids, pictures expanded, and completion ids, to the letter', () => {
      const tensors = goldenTensors(`golden/case_${name}.safetensors`);
      const { shape, data } = tensors.get('prompt_ids')!;
      const mask = tensors.get('prompt_mask')!.data;
      rows.forEach(({ completion_ids }, i) => {
        const cut = (all: number[]) => all.slice(i * shape[1], (i + 1) * shape[1]);
        expect(got[i].prompt_ids).toEqual(cut(data).filter((_, k) => cut(mask)[k] === 1));
        expect(got[i].completion_ids).toEqual(completion_ids);
      });
    });

    it('log-probabilities within 2e-5', () => {
      const { shape, data } = goldenTensors(`golden/case_${name}.safetensors`).get('completion_logprobs')!;
      got.forEach(({ logprobs, completion_ids }, i) => {
        expect(logprobs).toHaveLength(completion_ids.length);
        for (const [k, value] of logprobs.entries())
          expect(Math.abs(value - data[i * shape[1] + k])).toBeLessThan(2e-5);
      });
    });

    it('24 greedy tokens', () => {
      expect(got.map(({ greedy_ids }) => greedy_ids)).toEqual(greedy);
    });
  },
);

describe('with an adapter', () => {
  const rows = (manifest.batch.rows as GoldenRow[]).map(({ messages, completion }) => ({
    messages: chat(messages),
    completion,
  }));

  it("agrees with PEFT, beside its base or as a run's checkpoint that names its base", async () => {
    const got = await scored(rows, '--adapter', adapter, '--greedy', '4');
    const { shape, data } = goldenTensors('golden/lora.safetensors').get('completion_logprobs')!;
    got.forEach(({ logprobs, completion_ids }, i) => {
      expect(logprobs).toHaveLength(completion_ids.length);
      for (const [k, value] of logprobs.entries())
        expect(Math.abs(value - data[i * shape[1] + k])).toBeLessThan(2e-5);
    });
    writeLoraCheckpoint(join(folder, 'lora'));
    expect(await scored(rows, '--model', 'lora', '--greedy', '4')).toEqual(got);
  });
});

it('agrees with transformers on a checkpoint of other sizes: two shards, bfloat16, tied, its names for the tensors', async () => {
  const model = join(folder, 'sharded');
  cpSync(join(sharded, 'model'), model, { recursive: true });
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])
    cpSync(join(hubModel, name), join(model, name));
  const file = join(sharded, 'golden.jsonl');
  const { code, stdout } = await sophia(
    folder,
    ...['logprobs', '--model', model, '--in', file, '--greedy', '12'],
  );
  expect(code).toBe(0);
  // what is printed replaces the golden fields of the same names
  const golden = parse(readFileSync(file, 'utf8'));
  parse(stdout).forEach(({ logprobs, ...row }, i) => {
    const { logprobs: expected, ...same } = golden[i];
    expect(row).toEqual(same);
    logprobs.forEach((value, k) => {
      expect(Math.abs(value - expected[k])).toBeLessThan(2e-5);
    });
  });
  expect(parse(stdout)).toHaveLength(golden.length);
}, 30_000);

describe('rows', () => {
  it('keep every field and their order, whatever batches they are computed in', async () => {
    const rows = Array.from({ length: 19 }, (_, i) => ({
      id: `row ${i}`,
      messages: question('Why? '.repeat(1 + ((7 * i) % 19))),
      completion: 'Yes.',
      more: { nested: [i, null] },
    }));
    const got = await scored(rows);
    expect(got.map(({ prompt_ids, completion_ids, logprobs, ...row }) => row)).toEqual(rows);
    const [alone] = await scored(rows.slice(11, 12));
    expect(got[11].prompt_ids).toEqual(alone.prompt_ids);
    got[11].logprobs.forEach((value, k) => {
      expect(value).toBeCloseTo(alone.logprobs[k], 5);
    });
  });

  it('with an empty completion have empty lists, and are continued all the same', async () => {
    const [empty, full] = await scored(
      ['', 'A'].map((completion) => ({ messages: question(), completion })),
      '--greedy',
      '3',
    );
    expect(empty).toMatchObject({ completion_ids: [], logprobs: [] });
    expect(empty.greedy_ids).toHaveLength(3);
    expect(empty.greedy_ids).toEqual(full.greedy_ids);
    expect(full.logprobs).toHaveLength(1);
  });

  it('have completions tokenised as they stand: special tokens recognised, nothing added', async () => {
    const completions = ['Yes.', 'Yes.<|im_end|>', ' Yes.', '<|im_end|>'];
    const got = await scored(completions.map((completion) => ({ messages: question(), completion })));
    const [plain, ended, spaced, end] = got.map(({ completion_ids }) => completion_ids);
    expect(ended).toEqual([...plain, ...end]);
    expect(end).toHaveLength(1);
    expect(spaced).not.toEqual(plain);
  });

  it('from standard input have their paths taken from the working directory', async () => {
    const row = { messages: chat(manifest.chart.rows[0].messages, 'rows/'), completion: 'A' };
    const got = await piped([row], '--model', hubModel);
    expect(got.code).toBe(0);
    const [same] = await scored([{ ...row, messages: chat(manifest.chart.rows[0].messages) }]);
    expect(got.rows[0].logprobs).toEqual(same.logprobs);
  });

  it("can be a world's checkpoint's", async () => {
    const row = { messages: question('how many red'), completion: 'two<|im_end|>' };
    const { code, rows } = await piped([row], '--model', 'world-model', '--greedy', '2');
    expect(code).toBe(0);
    expect(rows[0].logprobs).toHaveLength(rows[0].completion_ids.length);
    expect(rows[0].greedy_ids).toHaveLength(2);
  });

  it('come out before the next one goes in', async () => {
    const child = start('--model', hubModel);
    child.stdin.write(`${JSON.stringify({ messages: question(), completion: 'A' })}\n`);
    const first = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data) => resolve(String(data))),
    );
    expect(parse(first)).toHaveLength(1);
    child.stdin.end();
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
  });
});

const start = (...args: string[]) =>
  spawn(process.execPath, [binary, 'logprobs', '--in', '-', ...args], { cwd: folder });

async function piped(rows: unknown[], ...args: string[]) {
  const child = start(...args);
  child.stdin.end(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (piece) => {
    stdout += piece;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  return { code, rows: parse(stdout) };
}

describe('a bad row ends with exit code 2 and one line that names file and line; rows before it stand', () => {
  const good = { messages: question(), completion: 'A' };
  it.each<[string, unknown, RegExp]>([
    ['no messages', { completion: 'A' }, /messages: is missing/],
    ['no turns', { messages: [], completion: 'A' }, /messages: holds no messages/],
    ['a turn without content', { messages: [{ role: 'user' }], completion: 'A' }, /messages\[0\]\.content/],
    ['no completion', { messages: question() }, /completion: is missing/],
    ['a number for a completion', { messages: question(), completion: 5 }, /completion: must be string/],
    ['a list for a completion', { messages: question(), completion: ['A'] }, /completion: must be string/],
    ['no object', 'A', /must be object/],
    [
      'no such picture',
      asked({ type: 'image', image: 'no.png' }),
      /messages: .*no\.png: cannot read: no such/,
    ],
    ['no picture', asked({ type: 'image', image: 'given.jsonl' }), /messages: .*cannot decode the picture/],
    [
      'a picture behind a URL',
      asked({ type: 'image', image: 'https://example.org/a.png' }),
      /read from files/,
    ],
    ['a part of another type', asked({ type: 'video', video: 'a.mp4' }), /messages\[0\]\.content/],
    [
      'a placeholder without a picture',
      asked({ type: 'text', text: '<|image_pad|>' }),
      /0 picture\(s\) but 1/,
    ],
    [
      'a placeholder in the completion',
      { ...good, completion: '<|image_pad|>' },
      /completion: holds the place/,
    ],
    [
      'more than the context holds',
      { ...good, completion: ' A'.repeat(4100) },
      /takes \d+ tokens, but .* 4096/,
    ],
  ])('%s', async (_what, bad, message) => {
    const file = writeRows('given.jsonl', [good, bad, good]);
    const { code, stdout, stderr } = await sophia(folder, 'logprobs', '--model', hubModel, '--in', file);
    expect(code).toBe(2);
    expect(parse(stdout)).toHaveLength(1);
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.startsWith(`${file}:2: `)).toBe(true);
    expect(stderr).toMatch(message);
  });

  it('broken JSON', async () => {
    const file = writeRows('given.jsonl', [good, good]);
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n{"messages": [\n`);
    const { code, stdout, stderr } = await sophia(folder, 'logprobs', '--model', hubModel, '--in', file);
    expect({ code, rows: parse(stdout).length }).toEqual({ code: 2, rows: 2 });
    expect(stderr).toMatch(/^.*given\.jsonl:4: not valid JSON/);
  });

  it('a prompt that leaves no room for the greedy tokens', async () => {
    const file = writeRows('given.jsonl', [good]);
    const args = ['--model', hubModel, '--in', file, '--greedy', '4096'];
    const { code, stderr } = await sophia(folder, 'logprobs', ...args);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/given\.jsonl:1: takes \d+ tok/),
    });
  });
});

describe('wrong flags end with exit code 2 and one line', () => {
  it.each([
    ['no folder', ['--model', 'nowhere'], /^--model nowhere: no such folder$/],
    ['no model', ['--model', 'rows'], /^--model rows: holds no config\.json/],
    [
      'no adapter',
      ['--adapter', 'rows'],
      /^rows\/adapter_config\.json: not found; give a PEFT adapter folder/,
    ],
    [
      'a model for an adapter',
      ['--adapter', hubModel],
      /this is a whole model, not an adapter: give it as the/,
    ],
    [
      'an adapter without its model',
      ['--model', adapter],
      /^--model .*\/adapter: is an adapter without the model it belongs to; give its base as --model and this folder as --adapter$/,
    ],
    [
      'adapters on adapters',
      ['--model', 'lora', '--adapter', adapter],
      /^lora: is a folder of adapters itself; give its base model, or no other adapter$/,
    ],
    [
      'adapters whose base is not there',
      ['--model', 'astray'],
      /^astray\/adapter_config\.json: base_model_name_or_path "moved" is no model folder here; give the base as the model and astray as its adapter$/,
    ],
    ['no file', ['--in', 'no.jsonl'], /^no\.jsonl: cannot read: no such file$/],
    ['no tokens', ['--greedy', '0'], /^--greedy 0: must be a whole number from 1 on$/],
    ['no threads', ['--threads', '0'], /^--threads 0: must be a whole number from 1 on$/],
    ['more threads than any machine uses', ['--threads', '100000'], /^--threads 100000: must be 256 at most$/],
    ['no provider', ['--provider', 'tpu'], /--provider.*tpu.*auto, cpu, webgpu, cuda/],
  ])('%s', async (_what, args, line) => {
    const file = writeRows('given.jsonl', [{ messages: question(), completion: 'A' }]);
    writeLoraCheckpoint(join(folder, 'lora'));
    writeLoraCheckpoint(join(folder, 'astray'), 'moved');
    const { code, stdout, stderr } = await sophia(
      folder,
      ...['logprobs', '--model', hubModel, '--in', file, ...args],
    );
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(line);
  });
});
