/** The built command, run from outside. */
import { spawn } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const binary = fileURLToPath(new URL('../../bin/sophia.js', import.meta.url));

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  /** What arrived on standard output, piece by piece. */
  pieces: string[];
}

/** Runs `sophia ARGS` in `cwd`. */
export function sophia(cwd: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [binary, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const pieces: string[] = [];
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece));
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      stderr += piece;
    });
    child.on('close', (code) => resolve({ code: code ?? -1, stdout: pieces.join(''), stderr, pieces }));
  });
}

/** The fixture: a Qwen2.5-VL in miniature as a hub folder has it. */
export const hubModel = fileURLToPath(new URL('../fixtures/qwen2_5_vl_tiny/model', import.meta.url));
export const hubPicture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/qwen2_5_vl_tiny/images/${name}`, import.meta.url));

/** The fixture's LoRA adapter, as PEFT saves one. */
export const adapter = fileURLToPath(new URL('../fixtures/qwen2_5_vl_tiny/adapter', import.meta.url));

/** The same as a run saves it: with configuration and tokenizer beside it, and the folder of its base in it. */
export function writeLoraCheckpoint(dir: string, base = hubModel): void {
  cpSync(adapter, dir, { recursive: true });
  for (const name of readdirSync(hubModel))
    if (name !== 'model.safetensors') cpSync(join(hubModel, name), join(dir, name));
  const file = join(dir, 'adapter_config.json');
  const config = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...config, base_model_name_or_path: base }));
}

/** A world's model as small as they come. */
export const smallest = {
  hidden: 16,
  layers: 1,
  heads: 2,
  kv_heads: 1,
  intermediate: 16,
  vision_hidden: 8,
  vision_layers: 1,
  vision_heads: 1,
  vision_intermediate: 8,
};
