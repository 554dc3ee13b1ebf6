/** `sophia export` from outside: a checkpoint is written anew. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseHeader } from '../../src/models/safetensors.ts';
import { adapter, hubModel, sophia, writeLoraCheckpoint } from './sophia.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sophia-export-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const exported = (out: string, ...args: string[]) =>
  sophia(folder, 'export', '--model', hubModel, '--out', out, ...args);
const read = (name: string) => readFileSync(join(folder, name));
const dtypes = (file: string) =>
  new Set([...parseHeader(new Uint8Array(read(file)), file).tensors.values()].map(({ dtype }) => dtype));

it('merges an adapter and copies what else makes a model', async () => {
  const { code, stdout } = await exported('merged', '--adapter', adapter);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: 'merged: 93 tensors, 21 of them with the adapter merged in, 2.1 MB in 1 file\n',
  });
  expect(readdirSync(join(folder, 'merged')).sort()).toEqual(readdirSync(hubModel).sort());
  for (const name of readdirSync(hubModel))
    expect(read(`merged/${name}`).equals(readFileSync(join(hubModel, name)))).toBe(
      name !== 'model.safetensors',
    );
  const args = ['--prompt', 'describe', '--max-tokens', '5', '--json'];
  const answer = await sophia(folder, 'sample', '--model', 'merged', ...args);
  expect(answer.code).toBe(0);
});

it("merges a run's checkpoint of adapters into its base by itself", async () => {
  writeLoraCheckpoint(join(folder, 'lora'));
  const { code, stdout } = await exported('by-itself', '--model', 'lora');
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: 'by-itself: 93 tensors, 21 of them with the adapter merged in, 2.1 MB in 1 file\n',
  });
  await exported('by-hand', '--adapter', adapter);
  expect(readdirSync(join(folder, 'by-itself')).sort()).toEqual(readdirSync(hubModel).sort());
  for (const name of readdirSync(hubModel))
    expect(read(`by-itself/${name}`).equals(read(`by-hand/${name}`)), name).toBe(true);
});

it('converts, shards, and says so in config.json and with --json', async () => {
  const { code, stdout } = await exported(
    'narrow',
    '--dtype',
    'bfloat16',
    '--max-shard-size',
    '300KB',
    '--json',
  );
  expect(code).toBe(0);
  const { files, ...rest } = JSON.parse(stdout);
  expect(rest).toEqual({
    model: hubModel,
    adapter: null,
    out: 'narrow',
    dtype: 'bfloat16',
    tensors: 93,
    bytes: rest.bytes,
    merged: 0,
    left_out: [],
  });
  expect(files.length).toBeGreaterThan(2);
  for (const file of files) expect(dtypes(`narrow/${file}`)).toEqual(new Set(['BF16']));
  expect(JSON.parse(read('narrow/config.json').toString()).dtype).toBe('bfloat16');
  const again = await sophia(folder, 'export', '--model', 'narrow', '--out', 'joined', '--dtype', 'float16');
  expect(again.code).toBe(0);
  expect(dtypes('joined/model.safetensors')).toEqual(new Set(['F16']));
});

it('takes along neither other weights nor an index that is no more, nor folders', async () => {
  cpSync(hubModel, join(folder, 'full'), { recursive: true });
  for (const name of ['pytorch_model.bin', 'pytorch_model.bin.index.json', 'README.md', 'LICENSE'])
    writeFileSync(join(folder, 'full', name), '{}');
  mkdirSync(join(folder, 'full/trainer.json'));
  expect((await sophia(folder, 'export', '--model', 'full', '--out', 'lean')).code).toBe(0);
  expect(readdirSync(join(folder, 'lean')).sort()).toEqual([...readdirSync(hubModel), 'LICENSE'].sort());
});

describe('wrong input ends with exit code 2 and one line, and writes nothing', () => {
  beforeAll(() => {
    mkdirSync(join(folder, 'used'));
    writeFileSync(join(folder, 'used/a-file'), '');
    writeLoraCheckpoint(join(folder, 'lora'));
  });

  it.each<[string, string[], RegExp]>([
    ['a used folder', ['--out', 'used'], /^used: holds files already; give the name of a new folder$/],
    ['a file for a folder', ['--out', 'used/a-file'], /^used\/a-file: not a folder/],
    ['no model', ['--model', 'used'], /^--model used: holds no config\.json/],
    [
      'no adapter',
      ['--adapter', 'used'],
      /^used\/adapter_config\.json: not found; give a PEFT adapter folder/,
    ],
    [
      'an adapter on a checkpoint of adapters',
      ['--model', 'lora', '--adapter', adapter],
      /^lora: is a folder of adapters itself; give its base model, or no other adapter$/,
    ],
    [
      'an adapter for a model',
      ['--model', adapter],
      /: is an adapter without the model it belongs to; give its base as --model and this folder as --adapter$/,
    ],
    ['a model for an adapter', ['--adapter', hubModel], /this is a whole model, not an adapter/],
    [
      'another dtype',
      ['--dtype', 'int8'],
      /'int8' is invalid\. Allowed choices are float32, bfloat16, float16/,
    ],
    ['no size', ['--max-shard-size', 'big'], /^--max-shard-size big: must be a size such as 500MB or 5GB$/],
    ['no bytes', ['--max-shard-size', '0GB'], /^--max-shard-size 0GB: must be a size/],
  ])('%s', async (_what, args, line) => {
    const { code, stdout, stderr } = await exported('new', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(line);
    expect(readdirSync(folder).filter((name) => /^\.|^new$/.test(name))).toEqual([]);
    expect(readdirSync(join(folder, 'used'))).toEqual(['a-file']);
  });
});
