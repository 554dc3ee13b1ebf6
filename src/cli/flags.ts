/** Values of flags as numbers, and what commands that ask a checkpoint have in common. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isAddress, withoutSecrets } from '../data/servers/server-name.ts';
import { InputError } from '../errors.ts';

/** Throws InputError `FLAG VALUE: …`. */
export function wholeNumber(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new InputError(`${flag} ${text}: must be a whole number from ${least} on`);
  return value;
}

/** A number from 0 on. Throws InputError `FLAG VALUE: …`. */
export function notNegative(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InputError(`${flag} ${text}: must be a number from 0 on`);
  return value;
}

/** Of commands that ask a checkpoint. */
export const ADAPTER = [
  '--adapter <dir>',
  'a LoRA adapter in the format of PEFT, beside the weights of --model',
] as const;

/**
 * The folder of `--model`, or of another flag: a whole checkpoint, or adapters that name the one they belong to, as runs with LoRA save them.
 * Throws InputError for a URL, and for what is neither.
 */
export function modelFolder(model: string, flag = '--model'): string {
  const wrong = (what: string) => new InputError(`${flag} ${withoutSecrets(model)}: ${what}`);
  if (isAddress(model))
    throw wrong('models behind a URL cannot be asked yet; give the folder of a checkpoint');
  const has = (name: string) => existsSync(join(model, name));
  if (!has('.')) throw wrong('no such folder');
  const whole = has('model.safetensors') || has('model.safetensors.index.json');
  if (has('adapter_config.json') && !whole && !(has('config.json') && has('tokenizer.json')))
    throw wrong(
      `is an adapter without the model it belongs to; give its base as ${flag} and this folder as --adapter`,
    );
  if (has('config.json')) return model;
  throw wrong(
    has('checkpoints')
      ? 'is a run or a stage of one; give one of the folders in its checkpoints/'
      : 'holds no config.json; give a Hugging Face model folder (config.json, *.safetensors, tokenizer.json)',
  );
}

/** A number from 0 to 1. Throws InputError `FLAG VALUE: …`. */
export function share(flag: string, text: string): number {
  const value = notNegative(flag, text);
  if (value > 1) throw new InputError(`${flag} ${text}: must be a number from 0 to 1`);
  return value;
}

/** No machine gains from more. */
const MOST_THREADS = 256;

/** `--threads`, or all cores. Throws InputError. */
export function threadsOf(text: string | undefined): number {
  if (text === undefined) return Math.min(availableParallelism(), MOST_THREADS);
  const threads = wholeNumber('--threads', text, 1);
  if (threads > MOST_THREADS) throw new InputError(`--threads ${text}: must be ${MOST_THREADS} at most`);
  return threads;
}

const UNITS = { '': 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30 };

/** A size such as 500MB, 5GB or 2GiB in bytes. Throws InputError `FLAG VALUE: …`. */
export function byteSize(flag: string, text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * (UNITS[unit?.toUpperCase() as keyof typeof UNITS] ?? Number.NaN));
  if (!Number.isSafeInteger(bytes) || bytes < 1)
    throw new InputError(`${flag} ${text}: must be a size such as 500MB or 5GB`);
  return bytes;
}
