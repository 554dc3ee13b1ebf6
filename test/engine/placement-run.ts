/**
 * Which operators of each graph the runtime gives to the CPU when it is to compute on WebGPU, by what it logs.
 *
 *     node --import tsx placement-run.ts     prints one JSON line: graph → operators
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { buildGraph, type GraphKind } from '../../src/engine/local/compute/graphs.ts';
import { readModelConfig } from '../../src/engine/local/files/checkpoint.ts';
import { WEBGPU } from '../../src/graph/lower.ts';
import { parameters } from '../../src/models/qwen2-5-vl/parameters.ts';
import { GOLDEN_MODEL } from './golden-cases.ts';

const KINDS: GraphKind[] = ['features', 'score', 'candidates', 'train', 'prefill', 'extend'];

/** Before what is logged of a graph. */
const GRAPH = 'graph: ';

/** Makes a session that logs where each node goes. */
async function logPlacement(kind: GraphKind): Promise<void> {
  const { config } = await readModelConfig(GOLDEN_MODEL);
  const all = parameters(config);
  const blueprint = {
    config,
    shapes: new Map(all.map(({ name, shape }) => [name, shape])),
    trained: new Set(all.map(({ name }) => name)),
    adapters: new Map<string, number>(),
  };
  const variant = { pictures: true, raggedPictures: true, prompts: true, ragged: true, recompute: true };
  await ort.InferenceSession.create(buildGraph(blueprint, kind, variant, WEBGPU).model, {
    executionProviders: ['webgpu'],
    logSeverityLevel: 0,
    logVerbosityLevel: 1,
  });
}

function operatorsOnCpu(log: string): string[] {
  const operators = new Set<string>();
  let provider = '';
  if (!log.includes('placed on')) throw new Error(`the runtime did not log where nodes go: ${log}`);
  for (const line of log.split('\n')) {
    provider = /placed on \[(\w+)\]/.exec(line)?.[1] ?? provider;
    const operator = /VerifyEachNodeIsAssignedToAnEp\] +(\w+) \(/.exec(line)?.[1];
    if (operator && provider === 'CPUExecutionProvider') operators.add(operator);
  }
  return [...operators].sort();
}

if (process.argv[2]) {
  const log = openSync(process.argv[2], 'a');
  for (const kind of KINDS) {
    writeSync(log, `${GRAPH}${kind}\n`);
    await logPlacement(kind);
  }
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), 'placement-'));
const file = join(folder, 'log');
// a file: a pipe that is not read in time loses lines
const log = openSync(file, 'a');
spawnSync(process.execPath, ['--import', 'tsx', fileURLToPath(import.meta.url), file], {
  stdio: ['ignore', log, log],
});
const parts = readFileSync(file, 'utf8').split(GRAPH).slice(1);
rmSync(folder, { recursive: true });
const placed = parts.map((part) => [part.split('\n')[0], operatorsOnCpu(part)]);
process.stdout.write(`${JSON.stringify(Object.fromEntries(placed))}\n`);
