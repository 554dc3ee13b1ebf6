/** LoRA adapters as PEFT's folders, read and written. */
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  loadAdapter,
  readAdapter,
  readAdapterConfig,
  readAdapterLayers,
  writeAdapter,
} from '../../src/engine/local/files/adapter.ts';
import { adapterConfig } from '../../src/models/lora/config.ts';
import { initialLora, loraParameters } from '../../src/models/lora/parameters.ts';
import { adaptedLayers } from '../../src/models/lora/targets.ts';
import { encodeFloats } from '../../src/models/safetensors.ts';
import { config, goldenTensors } from '../models/golden.ts';
import { expectRefused, tensorsOf } from './folders.ts';
import { GOLDEN_MODEL } from './golden-cases.ts';

const GOLDEN = fileURLToPath(new URL('../fixtures/qwen2_5_vl_tiny/adapter', import.meta.url));
const WEIGHTS = 'adapter_model.safetensors';

let root: string;
let folders = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'adapter-'));
});
afterAll(() => rmSync(root, { recursive: true }));

const folder = () => join(root, String(folders++));
function copy(): string {
  const dir = folder();
  cpSync(GOLDEN, dir, { recursive: true });
  return dir;
}

describe('an adapter that PEFT wrote is read', () => {
  it('every matrix under our name, in float32', async () => {
    const { layers, matrices } = await loadAdapter(GOLDEN, config);
    expect(layers).toEqual(await readAdapterLayers(GOLDEN, config));
    expect(layers).toHaveLength(21);
    expect(layers.every(({ rank, scale }) => rank === 4 && scale === 2)).toBe(true);
    const golden = goldenTensors(`adapter/${WEIGHTS}`);
    expect(matrices.size).toBe(golden.size);
    for (const [name, data] of matrices)
      expect([...data]).toEqual(
        golden.get(`base_model.model.${name.replace('model.', 'model.language_model.')}`)!.data,
      );
  });

  it('under the names of older versions of transformers', async () => {
    const dir = copy();
    const older = [...tensorsOf(join(dir, WEIGHTS))].map(
      ([name, tensor]) => [name.replace('.language_model', ''), tensor] as const,
    );
    writeFileSync(join(dir, WEIGHTS), Buffer.concat([...encodeFloats(new Map(older))]));
    const file = join(dir, 'adapter_config.json');
    const json = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(
      file,
      JSON.stringify({ ...json, target_modules: '(?!visual).*\\.\\d+\\.(self_attn|mlp)\\.\\w+' }),
    );
    const { layers, matrices } = await loadAdapter(dir, config);
    const golden = await loadAdapter(GOLDEN, config);
    expect(layers).toEqual(golden.layers);
    expect(matrices).toEqual(golden.matrices);
  });

  it('and comes back from what we write', async () => {
    const layers = adaptedLayers(
      adapterConfig({ rank: 3, alpha: 8, targets: 'all-linear', rankPattern: [['qkv', 5]] }),
      config,
    );
    const matrices = new Map(
      loraParameters(layers, config).map((parameter) => {
        const drawn = initialLora({ ...parameter, name: `${parameter.name}.as_A` }, 1);
        return [parameter.name, drawn] as const;
      }),
    );
    const dir = folder();
    await writeAdapter(dir, layers, config, (name) => matrices.get(name)!, { base: 'a/base', dropout: 0.1 });
    expect(await loadAdapter(dir, config)).toEqual({ layers, matrices });
    expect(await readAdapterConfig(dir)).toMatchObject({ rank: 3, alpha: 8, dropout: 0.1 });
    const json = JSON.parse(readFileSync(join(dir, 'adapter_config.json'), 'utf8'));
    expect(json.base_model_name_or_path).toBe('a/base');
  });
});

describe('one line says what is wrong with a folder', () => {
  it.each<[string, (dir: string) => void, string, string]>([
    [
      'that is not there',
      (dir) => rmSync(dir, { recursive: true }),
      'adapter_config.json',
      'give a PEFT adapter',
    ],
    ['without weights', (dir) => unlinkSync(join(dir, WEIGHTS)), WEIGHTS, 'not found'],
    ['that was cut off', (dir) => truncateSync(join(dir, WEIGHTS), 10_000), WEIGHTS, 'cut off'],
    [
      'with pickled weights',
      (dir) => renameSync(join(dir, WEIGHTS), join(dir, 'adapter_model.bin')),
      'adapter_model.bin',
      'safe_serialization=True',
    ],
    [
      'with a broken configuration',
      (dir) => truncateSync(join(dir, 'adapter_config.json'), 100),
      'adapter_config.json',
      'not valid JSON',
    ],
    [
      'that adapts fewer layers than it holds',
      (dir) => {
        const file = join(dir, 'adapter_config.json');
        writeFileSync(file, readFileSync(file, 'utf8').replace('|down_proj', ''));
      },
      WEIGHTS,
      'of a layer that adapter_config.json does not adapt',
    ],
    [
      'of integers',
      (dir) => {
        const file = join(dir, WEIGHTS);
        writeFileSync(file, readFileSync(file, 'latin1').replace('"dtype":"F32"', '"dtype":"I32"'), 'latin1');
      },
      WEIGHTS,
      'I32',
    ],
    [
      'with NaN',
      (dir) => {
        const file = join(dir, WEIGHTS);
        const bytes = readFileSync(file);
        bytes.writeFloatLE(Number.NaN, bytes.length - 4);
        writeFileSync(file, bytes);
      },
      WEIGHTS,
      'holds NaN or infinity',
    ],
  ])('%s', async (_, spoil, file, what) => {
    const dir = copy();
    spoil(dir);
    await expectRefused(loadAdapter(dir, config), `${join(dir, file)}: `, what);
  });

  it('that is a model', () => expectRefused(readAdapterConfig(GOLDEN_MODEL), 'this is a whole model'));

  it('of another model, before anything is changed', async () => {
    const other = { ...config, text: { ...config.text, intermediate: 161 } };
    let asked = false;
    const into = () => {
      asked = true;
      return () => new Float32Array(0);
    };
    await expectRefused(readAdapter(GOLDEN, other, into), 'the adapter is of another model or rank');
    expect(asked).toBe(false);
  });
});
