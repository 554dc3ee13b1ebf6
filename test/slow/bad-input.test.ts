/** Wrong input and failing runs: one line on stderr, the exit code promised, nothing half-written. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, inject, it } from 'vitest';
import { orderedItems } from '../../src/data/records/order.ts';
import { recipeFile } from './recipes.ts';
import { leftovers, names, readRows, sophia, workFolder } from './sophia.ts';

const job = inject('mainJob');
const cold = join(job.dir, 'cold-start/checkpoints');
const model = join(cold, names(cold).at(-1)!);
const { dir, remove } = workFolder();
const file = (name: string) => join(dir, name);
afterAll(remove);

const set = (values: Record<string, string | number>) =>
  Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
/** A very short run on 16 records, all with pictures. */
const short = {
  model,
  'data.train': file('world/records.jsonl'),
  judge: 'none',
  'rl.steps': 2,
  'rl.prompts': 4,
  'rl.samples': 2,
};

/** The records of the world with one of them changed, in a folder of their own with all pictures. */
function changed(name: string, change: (lines: string[]) => void): string {
  cpSync(file('world'), file(name), { recursive: true });
  const records = join(file(name), 'records.jsonl');
  const lines = readFileSync(records, 'utf8').trimEnd().split('\n');
  change(lines);
  writeFileSync(records, `${lines.join('\n')}\n`);
  return records;
}

/** The checkpoint with one thing changed. */
function damaged(name: string, change: (folder: string) => void): string {
  cpSync(model, file(name), { recursive: true });
  change(file(name));
  return file(name);
}

/** Rewrites a checkpoint's header, or its data, without a gap between tensors. */
function rewriteTensors(
  folder: string,
  change: (tensors: Map<string, { shape: number[]; data: Buffer }>) => void,
) {
  const path = join(folder, 'model.safetensors');
  const bytes = readFileSync(path);
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, end).toString());
  const tensors = new Map<string, { shape: number[]; data: Buffer }>();
  for (const [name, entry] of Object.entries<{ shape: number[]; data_offsets: number[] }>(header)) {
    if (name === '__metadata__') continue;
    const [from, to] = entry.data_offsets;
    tensors.set(name, { shape: entry.shape, data: Buffer.from(bytes.subarray(end + from, end + to)) });
  }
  change(tensors);
  let at = 0;
  const entries = [...tensors].map(([name, { shape, data }]) => {
    at += data.length;
    return [name, { dtype: 'F32', shape, data_offsets: [at - data.length, at] }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, ...[...tensors.values()].map(({ data }) => data)]));
}
const Q = 'model.layers.0.self_attn.q_proj.weight';

beforeAll(async () => {
  const made = await sophia(['world', '--count', '16', '--template', 'count', '--out', file('world')]);
  if (made.code !== 0) throw new Error(made.stderr);
  mkdirSync(file('used'));
  writeFileSync(file('used/notes.txt'), 'mine');
  writeFileSync(file('misspelt.yaml'), 'rl: { stpes: 3 }\n');
  writeFileSync(file('typed.yaml'), 'rl: { steps: many }\n');
  writeFileSync(file('broken.yaml'), 'rl: { steps: 3\n');
});

type Case = [what: string, args: () => string[], message: RegExp];

const recipes: Case[] = [
  [
    'an unknown key',
    () => [file('misspelt.yaml')],
    /misspelt\.yaml: rl\.stpes: unknown key; did you mean rl\.steps\?$/,
  ],
  [
    'an unknown key in --set',
    () => ['--set', 'rl.apha=1'],
    /rl\.apha: unknown key; did you mean rl\.alpha\?$/,
  ],
  ['a wrong type', () => [file('typed.yaml')], /typed\.yaml: rl\.steps: .*number/],
  ['a value out of range', () => ['--set', 'rl.top_p=2'], /rl\.top_p: /],
  ['a variant that is none', () => ['--set', 'variant=ppo'], /variant: must be one of .*trust-grpo/],
  [
    'a judge that is none',
    () => ['--set', 'judge=me'],
    /judge: must be trm, oracle, none, \{model: DIR\}, or \{url: ADDRESS, model: NAME\}$/,
  ],
  ['YAML that does not parse', () => [file('broken.yaml')], /broken\.yaml: not valid YAML: /],
  [
    '--set without a value',
    () => ['--set', 'rl.steps'],
    /--set rl\.steps: must be KEY=VALUE, for example rl\.steps=30$/,
  ],
  ['a recipe that is not there', () => [file('none.yaml')], /none\.yaml: no such recipe; name a YAML file$/],
  ['seeds that are no numbers', () => ['--seed', '0,one'], /--seed 0,one: must be whole numbers/],
  [
    'an option that does not exist',
    () => ['--sed', '1'],
    /unknown option '--sed'.*; see sophia train --help$/,
  ],
  ['--resume without --run', () => ['--resume'], /--resume: say which run: --run DIR$/],
];

const inputs: Case[] = [
  [
    'records that are not there',
    () => set({ ...short, 'data.train': file('no.jsonl') }),
    /no\.jsonl: cannot read: no such file$/,
  ],
  [
    'records of an unknown kind',
    () => set({ ...short, 'data.train': join(model, 'config.json') }),
    /config\.json: must be an array of records/,
  ],
  [
    'a missing picture, before anything is trained',
    () => {
      const records = changed('no-picture', () => {});
      rmSync(join(file('no-picture'), readRows<{ path: string }>(records)[2].path));
      return set({ ...short, 'data.train': records });
    },
    /no-picture\/records\.jsonl:3: path: no such picture: .*train-000002\.png$/,
  ],
  [
    'a line that is cut off',
    () => {
      const cut = (lines: string[]) => {
        lines[4] = lines[4].slice(0, 100);
      };
      return set({ ...short, 'data.train': changed('cut-line', cut) });
    },
    /cut-line\/records\.jsonl:5: not valid JSON \(.*\); is the line cut off\?$/,
  ],
  [
    'a record without a solution',
    () => {
      const without = (lines: string[]) => {
        const { solution: _, ...rest } = JSON.parse(lines[6]);
        lines[6] = JSON.stringify(rest);
      };
      return set({ ...short, 'data.train': changed('no-solution', without) });
    },
    /no-solution\/records\.jsonl:7: solution: is missing$/,
  ],
  [
    'an oracle for records of no world',
    () => {
      const plain = (lines: string[]) => {
        lines.forEach((line, i) => {
          const { world: _, ...rest } = JSON.parse(line);
          lines[i] = JSON.stringify(rest);
        });
      };
      return set({ ...short, judge: 'oracle', 'data.train': changed('plain', plain) });
    },
    /plain\/records\.jsonl:1: world: missing; the oracle judges only records that `sophia world` wrote/,
  ],
  [
    'a model folder that does not exist',
    () => set({ ...short, model: file('nowhere') }),
    /nowhere(: no such folder|\/config\.json: not found); give a Hugging Face model folder/,
  ],
  [
    'a judge folder that does not exist',
    () => set({ 'judge.model': file('nowhere') }),
    /nowhere(: no such folder|\/config\.json: not found); give a Hugging Face model folder/,
  ],
  [
    'a judge that cannot tell scores apart',
    () => {
      // a vocabulary without digits: every score is the same unknown word
      const wordless = (at: string) => {
        const path = join(at, 'tokenizer.json');
        writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/"(\d\.\d)"/g, '"score-$1"'));
      };
      return set({ 'judge.model': damaged('wordless', wordless) });
    },
    /judge: this model's vocabulary cannot tell the scores 0\.0 to 1\.0 apart/,
  ],
  [
    'a checkpoint without a tokenizer',
    () => set({ ...short, model: damaged('no-tokenizer', (at) => rmSync(join(at, 'tokenizer.json'))) }),
    /no-tokenizer: no tokenizer\.json; /,
  ],
  [
    'a checkpoint of another architecture',
    () => {
      const other = (at: string) => {
        const config = join(at, 'config.json');
        const text = readFileSync(config, 'utf8').replaceAll('qwen2_5_vl', 'llama');
        writeFileSync(config, text.replaceAll('Qwen2_5_VLForConditionalGeneration', 'LlamaForCausalLM'));
      };
      return set({ ...short, model: damaged('llama', other) });
    },
    /llama\/config\.json: architectures: LlamaForCausalLM is not supported/,
  ],
  [
    'a checkpoint lacking a tensor',
    () =>
      set({ ...short, model: damaged('lacking', (at) => rewriteTensors(at, (all) => void all.delete(Q))) }),
    /lacking\/model\.safetensors: .*model\.layers\.0\.self_attn\.q_proj\.weight/,
  ],
  [
    'a tensor of a wrong shape',
    () => {
      const flat = (at: string) =>
        rewriteTensors(at, (all) => {
          const tensor = all.get(Q)!;
          tensor.shape = [tensor.shape[0] * tensor.shape[1]];
        });
      return set({ ...short, model: damaged('flat', flat) });
    },
    /flat\/model\.safetensors: the tensor "model\.layers\.0\.self_attn\.q_proj\.weight" has the shape \[9216\], but config\.json asks for \[96,96\]/,
  ],
  [
    'weights that are not finite',
    () => {
      const nan = (at: string) =>
        rewriteTensors(at, (all) => void all.get(Q)!.data.writeFloatLE(Number.NaN, 40));
      return set({ ...short, model: damaged('nan', nan) });
    },
    /nan\/model\.safetensors: the tensor model\.layers\.0\.self_attn\.q_proj\.weight holds NaN or infinity/,
  ],
  [
    'a checkpoint that is cut off',
    () => {
      const half = (at: string) => {
        const path = join(at, 'model.safetensors');
        const bytes = readFileSync(path);
        writeFileSync(path, bytes.subarray(0, bytes.length / 2));
      };
      return set({ ...short, model: damaged('half', half) });
    },
    /half\/model\.safetensors: .*(damaged|cut off)/,
  ],
];

const oneLine = (stderr: string) => stderr.trimEnd().split('\n').at(-1)!;

describe.concurrent('refused with exit code 2 and one line, before a run folder is made:', () => {
  it.for([...recipes, ...inputs])('%s', async ([what, args, message], { expect }) => {
    const run = file(`run-${what.replaceAll(/\W+/g, '-')}`);
    const given = args();
    const ended = await sophia(['train', ...given, ...(given.includes('--resume') ? [] : ['--run', run])]);
    expect(ended.stderr.trimEnd()).toMatch(message);
    expect(ended.stderr.trimEnd().split('\n'), ended.stderr).toHaveLength(1);
    expect(ended.code).toBe(2);
    expect(ended.stdout).toBe('');
    expect(existsSync(run)).toBe(false);
  });

  it('a folder that is used', async ({ expect }) => {
    const ended = await sophia(['train', ...set(short), '--run', file('used')]);
    expect([ended.code, ended.stderr]).toEqual([
      2,
      `${file('used')}: is not empty; add --resume to go on with the run in it, or name another folder\n`,
    ]);
    expect(names(file('used'))).toEqual(['notes.txt']);
  });

  it('a run to go on with that is none', async ({ expect }) => {
    for (const folder of [file('used'), file('not-there')]) {
      const ended = await sophia(['train', '--run', folder, '--resume']);
      expect(ended.code).toBe(2);
      expect(ended.stderr).toBe(`${folder}: no recipe.yaml in it; nothing to resume, leave out --resume\n`);
    }
    const other = await sophia(['train', '--run', file('used'), '--resume', '--set', 'rl.steps=3']);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/^--resume: the run goes on with its own recipe\.yaml; leave out/);
  });

  it('a run folder inside a file', async ({ expect }) => {
    const ended = await sophia(['train', ...set(short), '--run', file('used/notes.txt/run')]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/notes\.txt\/run: is a file, or lies in one; name a folder\n$/);
  });
});

describe.concurrent('a run that fails', () => {
  it.runIf(process.platform === 'linux')('where nothing may be written: exit code 1', async ({ expect }) => {
    const ended = await sophia(['train', ...set(short), '--run', '/sys/sophia']);
    expect(ended.stderr).toMatch(
      /^\/sys\/sophia: cannot write: (not permitted|permission denied|the file system is read-only); choose .*\n$/,
    );
    expect(ended.code).toBe(1);
  });

  it('on a picture that turns out to be damaged: names file and line, and goes on when it has been mended', async ({
    expect,
  }) => {
    const records = changed('damaged', () => {});
    // a question of the second step: the first is saved by then
    const index = orderedItems(0, 16)(short['rl.prompts']);
    const { path } = readRows<{ path: string }>(records)[index];
    const picture = join(file('damaged'), path);
    const whole = readFileSync(picture);
    writeFileSync(picture, whole.subarray(0, whole.length / 2));
    const run = file('run-damaged');
    const given = { ...short, 'data.train': records, 'data.id': file('world/records.jsonl') };
    const ended = await sophia(['train', ...set(given), '--run', run]);
    expect(oneLine(ended.stderr)).toMatch(
      new RegExp(
        `damaged/records\\.jsonl:${index + 1}: path: .*\\.png: cannot decode the picture \\(.*\\); is the file damaged\\?$`,
      ),
    );
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    expect(ended.code).toBe(2);
    writeFileSync(picture, whole);
    const resumed = await sophia(['train', '--run', run, '--resume']);
    expect(resumed.code, resumed.stderr).toBe(0);
  });

  it('on a prompt that is longer than the context: names the record', async ({ expect }) => {
    const long = (lines: string[]) => {
      lines[3] = JSON.stringify({ ...JSON.parse(lines[3]), problem: 'red '.repeat(1100) });
    };
    const given = { ...short, 'data.train': changed('long', long) };
    const ended = await sophia(['train', ...set(given), '--run', file('run-long')]);
    expect(oneLine(ended.stderr)).toMatch(
      /long\/records\.jsonl:4: takes 11\d\d tokens, and \d+ for the response, but the model's context is 1024; shorten it/,
    );
    expect(ended.code).toBe(2);
  });

  it('because a checkpoint cannot be written whole: exit code 1, no part of it stays, and it can go on', async ({
    expect,
  }) => {
    const run = file('run-full');
    const given = ['train', ...set({ ...short, 'rl.save_every': 1 }), '--run', run];
    // the weights take 2.6 MB
    const ended = await sophia(given, { shell: 'ulimit -f 1000' });
    expect(oneLine(ended.stderr)).toMatch(
      /^\S*run-full\/checkpoints\/000001: cannot write: the file would be larger than this system allows; raise the limit/,
    );
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    expect(ended.code).toBe(1);
    expect(names(join(run, 'checkpoints'))).toEqual([]);
    expect(leftovers(run)).toEqual([]);
    const resumed = await sophia(['train', '--run', run, '--resume']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(names(join(run, 'checkpoints'))).toEqual(['000001', '000002']);
  });

  it('in its baselines stops the main variant too, promptly, and tells of the cause', async ({ expect }) => {
    const tests = changed('bad-tests', () => {});
    const { path } = readRows<{ path: string }>(tests)[1];
    writeFileSync(join(file('bad-tests'), path), 'no picture');
    const run = file('run-bad-tests');
    const long = { ...short, judge: 'oracle', 'data.id': tests, 'rl.steps': 2000 };
    const started = performance.now();
    const ended = await sophia(['train', ...set(long), '--run', run]);
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(oneLine(ended.stderr)).toMatch(/bad-tests\/records\.jsonl:2: path: .*cannot decode the picture/);
    expect(ended.code).toBe(2);
    // what was under way is saved
    expect(names(join(run, 'checkpoints')).length).toBe(1);
    expect(leftovers(run)).toEqual([]);
  });

  it('in its main variant stops the baselines too, promptly, and tells of the cause', async ({ expect }) => {
    // an untrained policy gives no response that a TRM could learn from
    const untrained = { ...short, model: join(job.dir, 'start'), judge: 'trm', 'rl.steps': 2000 };
    const started = performance.now();
    const ended = await sophia(['train', ...set(untrained), '--run', file('run-untrained')]);
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(oneLine(ended.stderr)).toMatch(
      /^trm: the policy gave 0 well-formed responses to learn from and 0 to hold out; it needs a longer cold start/,
    );
    expect(ended.code).toBe(1);
  });
});

describe.concurrent('what is printed', () => {
  it('--json: one document on stdout, progress on stderr', async ({ expect }) => {
    const ended = await sophia(['train', ...set(short), '--run', file('run-json'), '--json']);
    expect(ended.code, ended.stderr).toBe(0);
    const { run, report, results } = JSON.parse(ended.stdout);
    expect([run, report]).toEqual([file('run-json'), join(file('run-json'), 'report.html')]);
    expect(results.variants.map((row: { variant: string }) => row.variant)).toEqual(['start', 'grpo']);
    expect(ended.stderr).toContain('grpo: 2 to do');
  });

  it('--dry-run: the resolved recipe, and nothing is made', async ({ expect }) => {
    const recipe = recipeFile(dir);
    const ended = await sophia(['train', recipe, '--dry-run', '--set', 'rl.steps=7'], { cwd: file('used') });
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/^ {2}steps: 7$/m);
    expect(ended.stdout).toMatch(/^# (memory|time): /m);
    expect(names(file('used'))).toEqual(['notes.txt']);
  });
});
