/** The `sophia` command: registers one file a command and turns errors into one line and an exit code. */
import { Command, CommanderError } from 'commander';
import { InputError, Interrupted, RunError } from '../errors.ts';
import { register as doctor } from './doctor.ts';
import { register as reward } from './reward.ts';
import { register as trust } from './trust.ts';
import { register as world } from './world.ts';

/** Runs one command line; returns the exit code (0 done, 1 the run failed, 2 wrong input, 130 interrupted). */
export async function main(argv: string[]): Promise<number> {
  const program = new Command('sophia')
    .description('Train vision-language models to reason soundly')
    .exitOverride()
    .showHelpAfterError(false);
  for (const register of [world, reward, trust, doctor]) register(program);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof InputError) return say(error.message, 2);
    if (error instanceof Interrupted) return say(error.message, 130);
    if (error instanceof RunError) return say(error.message, 1);
    throw error;
  }
}

function say(message: string, code: number): number {
  process.stderr.write(`${message.replaceAll('\n', ' ')}\n`);
  return code;
}
