import { expect } from 'vitest';
import { InputError } from '../../src/errors.ts';

/** The one line with which `run` refuses its input. */
export function refusal(run: () => unknown): string {
  let error: unknown;
  try {
    run();
  } catch (e) {
    error = e;
  }
  expect(error).toBeInstanceOf(InputError);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
}
