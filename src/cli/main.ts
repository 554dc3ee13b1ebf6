/** The `sophia` command: registers one file a command and turns errors into one line and an exit code. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { InputError, Interrupted, RunError } from '../errors.ts';
import { register as data } from './data.ts';
import { register as doctor } from './doctor.ts';
import { endBy } from './end-by.ts';
import { register as evaluate } from './eval.ts';
import { register as exportModel } from './export.ts';
import { register as logprobs } from './logprobs.ts';
import { register as reward } from './reward.ts';
import { register as sample } from './sample.ts';
import { register as score } from './score.ts';
import { register as train } from './train.ts';
import { register as trm } from './trm.ts';
import { register as trust } from './trust.ts';
import { register as world } from './world.ts';

/**
 * Runs one command line; returns the exit code (0 done, 1 the run failed, 2 wrong input, 130 interrupted).
 * @throws whatever is neither of src/errors.ts nor the command line's: a defect, which keeps its stack.
 */
export async function main(argv: string[]): Promise<number> {
  // A reader that has seen enough (`sophia trust … | head`) is no error: end as other programs do.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    endBy('SIGPIPE');
  });
  const program = new Command('sophia')
    .description('Train vision-language models to reason soundly')
    .version(version(), '--version', 'print the version')
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  for (const register of [
    train,
    evaluate,
    score,
    sample,
    logprobs,
    exportModel,
    data,
    world,
    reward,
    trust,
    trm,
    doctor,
  ])
    register(program);
  if (argv.length === 0) {
    program.outputHelp();
    return 0;
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : misused(error, argv);
    if (error instanceof InputError) return say(error.message, 2);
    if (error instanceof Interrupted) return say(error.message, 130);
    if (error instanceof RunError) return say(error.message, 1);
    throw error;
  }
}

/** A command line that does not parse: says so in one line. */
function misused(error: CommanderError, argv: string[]): number {
  const known = error.code !== 'commander.unknownCommand' && !argv[0].startsWith('-');
  const what =
    error.code === 'commander.help'
      ? 'a command is missing'
      : error.message.replace(/^error: /, '').replace(/\.$/, '');
  return say(`${what}; see sophia ${known ? `${argv[0]} ` : ''}--help`, 2);
}

function say(message: string, code: number): number {
  process.stderr.write(`${message.replaceAll(/\s*\n\s*/g, ' ')}\n`);
  return code;
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}
