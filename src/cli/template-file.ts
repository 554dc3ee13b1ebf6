/** A prompt that a flag names by its file. */
import { readFileSync } from 'node:fs';
import { InputError } from '../errors.ts';

/** The file's text without the line's end after it. Throws InputError `FLAG FILE: …`. */
export function templateFile(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new InputError(`${flag} ${file}: cannot be read: ${(error as Error).message}`);
  }
}
