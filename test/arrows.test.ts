/** The lint that holds docs/architecture.md: it must pass on src and fail on each kind of forbidden arrow. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const config = join(root, '.dependency-cruiser.cjs');
const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
const run = promisify(execFile);
const folders: string[] = [];

interface Violation {
  rule: { name: string };
  from: string;
  to: string;
}

/** Every broken rule of the tree of sources at `cwd`, with the file that breaks it. */
async function violations(cwd: string): Promise<Violation[]> {
  const output = await run(process.execPath, [cruiser, 'src', '--config', config, '--output-type', 'json'], {
    cwd,
    maxBuffer: 1 << 26,
  }).catch((error: { stdout: string }) => error);
  return JSON.parse(output.stdout).summary.violations;
}

/** A throw-away project with these source files. */
async function tree(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'arrows-'));
  folders.push(folder);
  for (const name of ['node_modules', 'package.json', 'tsconfig.json'])
    await symlink(join(root, name), join(folder, name));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

const leaf = 'export const value = 1;\nexport type Value = number;\n';

/** One forbidden import each: the file, what it imports, and the rule that must name that file. */
const forbidden: [what: string, rule: string, file: string, text: string][] = [
  ['a lower room importing a higher one', 'arrows-data', 'data/up.ts', `import '../eval/leaf.ts';`],
  [
    'a type taken from a higher room',
    'arrows-engine',
    'engine/type.ts',
    `import type { Value } from '../train/leaf.ts';`,
  ],
  [
    'a dynamic import of a higher room',
    'arrows-train',
    'train/dynamic.ts',
    `await import('../cli/leaf.ts');`,
  ],
  ['a world reading data', 'pure-imports-pure', 'worlds/data.ts', `import '../data/leaf.ts';`],
  ['a world using the engine', 'pure-imports-pure', 'worlds/engine.ts', `import '../engine/leaf.ts';`],
  ['worlds using Node', 'pure-without-node', 'worlds/node.ts', `import 'node:fs';`],
  ['models using Node', 'pure-without-node', 'models/node.ts', `import { readFile } from 'fs/promises';`],
  ['graph using Node', 'pure-without-node', 'graph/node.ts', `import 'node:fs';`],
  ['rewards using Node', 'pure-without-node', 'rewards/node.ts', `import 'node:os';`],
  ['trust using Node', 'pure-without-node', 'trust/node.ts', `import 'node:fs';`],
  ['a pure room using a package with Node in it', 'pure-packages', 'models/sharp.ts', `import 'sharp';`],
  ['trust importing a package', 'trust-imports-nothing', 'trust/zod.ts', `import 'zod';`],
  ['trust importing the errors', 'trust-imports-nothing', 'trust/errors.ts', `import '../errors.ts';`],
  [
    'onnxruntime outside the local engine',
    'onnxruntime-behind-the-engine',
    'train/onnx.ts',
    `import 'onnxruntime-node';`,
  ],
  ['a cycle', 'no-cycles', 'eval/one.ts', `import './two.ts';`],
  ['a source importing a test', 'src-without-tests', 'eval/test.ts', `import '../../test/leaf.ts';`],
  ['a source importing a development tool', 'no-dev-dependencies', 'eval/tool.ts', `import 'fast-check';`],
  ['a room that is not on the map', 'known-rooms', 'helpers/a.ts', `import '../trust/leaf.ts';`],
  ['an import that leads nowhere', 'resolvable', 'eval/gone.ts', `import './nowhere.ts';`],
];

describe('the arrows of docs/architecture.md', () => {
  let found: Violation[];

  beforeAll(async () => {
    const files: Record<string, string> = { 'test/leaf.ts': leaf, 'src/errors.ts': leaf };
    for (const room of ['cli', 'train', 'eval', 'data', 'engine', 'trust'])
      files[`src/${room}/leaf.ts`] = leaf;
    files['src/eval/two.ts'] = `import './one.ts';\n`;
    for (const [, , file, text] of forbidden) files[`src/${file}`] = `${text}\n`;
    found = await violations(await tree(files));
  });

  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true });
  });

  it('hold in src', async () => {
    const broken = (await violations(root)).map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`);
    expect(broken).toEqual([]);
  });

  it('allow imports of lower rooms, of one room among itself and of src/errors.ts', async () => {
    const folder = await tree({
      'src/errors.ts': leaf,
      'src/trust/gamma.ts': leaf,
      'src/trust/group.ts': `import './gamma.ts';\n`,
      'src/worlds/scene.ts': `import 'zod';\nimport '../errors.ts';\nimport '../trust/group.ts';\n`,
      'src/engine/local/run.ts': `import 'node:fs';\nimport 'onnxruntime-node';\n`,
      'src/cli/main.ts': `import 'commander';\nimport '../engine/local/run.ts';\nimport '../worlds/scene.ts';\n`,
    });
    expect(await violations(folder)).toEqual([]);
  });

  it.each(forbidden)('forbid %s (%s)', (_what, rule, file) => {
    const rules = found.filter((violation) => violation.from === `src/${file}`).map(({ rule }) => rule.name);
    expect(rules).toContain(rule);
  });

  it('fail the command, not only the report', async () => {
    const folder = await tree({ 'src/trust/a.ts': `import 'node:fs';\n` });
    const check = run(process.execPath, [cruiser, 'src', '--config', config], { cwd: folder });
    await expect(check).rejects.toMatchObject({
      code: 2, // the number of errors: trust imports something, and it is Node's
      stdout: expect.stringContaining('pure-without-node'),
    });
  });
});
