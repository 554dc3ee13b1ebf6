/** The flags that name a judge, of every command that asks one. */
import { type Command, Option } from 'commander';
import { isAddress } from '../data/servers/server-name.ts';
import { InputError } from '../errors.ts';
import type { Judge } from '../trm/judge.ts';
import { notNegative, threadsOf, wholeNumber } from './flags.ts';
import { templateFile } from './template-file.ts';

export interface JudgeFlags {
  judge: string;
  judgeModel?: string;
  judgeTemplate?: string;
  judgeThinks?: boolean;
  judgeReads?: string;
  judgeTemperature?: string;
  judgeMaxTokens?: string;
  judgeConcurrency?: string;
  judgeTimeout?: string;
  judgeKey?: string;
  judgeCache?: string;
  steps?: string;
  aggregate?: string;
  threads?: string;
}

const JUDGE = [
  '--judge <judge>',
  "a TRM's folder, the address of an OpenAI-compatible server, or oracle",
] as const;

/** Adds the flags to a command; `--judge` is required. */
export function withJudgeFlags(command: Command): Command {
  return withHow(command.requiredOption(...JUDGE)).option(
    '--threads <n>',
    'of a judge on this machine; by default one a core',
  );
}

/** Adds the flags to a command that may do without a judge, and has `--threads` already. */
export function withOptionalJudgeFlags(command: Command): Command {
  return withHow(command.option(...JUDGE));
}

function withHow(command: Command): Command {
  return command
    .option('--judge-model <name>', "the model's name at that server")
    .option('--judge-template <file>', "the judge's prompt, with {problem} and {response}")
    .option('--judge-thinks', 'the judge may think in <think>…</think> before it scores')
    .addOption(
      new Option(
        '--judge-reads <how>',
        'the score it writes, or the expected value by its log-probabilities',
      ).choices(['text', 'expected']),
    )
    .option('--judge-temperature <t>', 'of a server; 0 by default')
    .option('--judge-max-tokens <n>', 'longest reply')
    .option('--judge-concurrency <n>', 'calls to a server under way at once; 8 by default')
    .option('--judge-timeout <seconds>', 'until a call is given up and tried again; 60 by default')
    .option('--judge-key <variable>', 'environment variable with the key; OPENAI_API_KEY by default')
    .option('--judge-cache <dir>', "folder that keeps a server's replies")
    .addOption(
      new Option(
        '--steps <split>',
        'score every step of a response: cut at statements of a world, or as text',
      ).choices(['statements', 'text']),
    )
    .addOption(
      new Option('--aggregate <how>', "how the steps' scores become one; mean by default").choices([
        'mean',
        'min',
        'product',
      ]),
    );
}

/** The judge that the flags name, or null. Throws InputError for flags about a judge where there is none. */
export async function optionalJudgeOfFlags(flags: Partial<JudgeFlags>): Promise<Judge | null> {
  if (flags.judge !== undefined) return judgeOfFlags({ ...flags, judge: flags.judge });
  refuseJudgeFlags(flags);
  const stray = flags.steps !== undefined ? '--steps' : flags.aggregate !== undefined ? '--aggregate' : null;
  if (stray !== null) throw new InputError(`${stray}: is about a judge; name one with --judge`);
  return null;
}

/** Throws InputError for a flag that says how a judge is asked, where none is. */
export function refuseJudgeFlags(flags: Partial<JudgeFlags>): void {
  const stray = ABOUT_A_JUDGE.find(([name]) => flags[name] !== undefined);
  if (stray !== undefined) throw new InputError(`${stray[1]}: is about a judge; name one with --judge`);
}

const ABOUT_A_JUDGE: readonly [keyof JudgeFlags, string][] = [
  ['judgeModel', '--judge-model'],
  ['judgeTemplate', '--judge-template'],
  ['judgeThinks', '--judge-thinks'],
  ['judgeReads', '--judge-reads'],
  ['judgeTemperature', '--judge-temperature'],
  ['judgeMaxTokens', '--judge-max-tokens'],
  ['judgeConcurrency', '--judge-concurrency'],
  ['judgeTimeout', '--judge-timeout'],
  ['judgeKey', '--judge-key'],
  ['judgeCache', '--judge-cache'],
];

/** The judge that the flags name. Throws InputError naming the flag. */
export async function judgeOfFlags(flags: JudgeFlags): Promise<Judge> {
  const { openJudge } = await import('../trm/open-judge.ts');
  const { EndpointSettings, FolderSettings } = await import('../trm/settings.ts');
  const { checkJudgeTemplate } = await import('../trm/prompt.ts');
  const { parseWith } = await import('../data/validate.ts');

  const number = (flag: string, text: string | undefined, least: number) =>
    text === undefined ? undefined : wholeNumber(flag, text, least);
  if (flags.judge === 'oracle') refuseOfOracle(flags);
  const template = judgeTemplate(flags);
  if (template !== undefined) checkJudgeTemplate(template, `--judge-template ${flags.judgeTemplate}`);
  if (flags.aggregate !== undefined && flags.steps === undefined)
    throw new InputError('--aggregate: is of steps; add --steps');
  const asked = defined({
    template,
    thinks: flags.judgeThinks,
    reads: flags.judgeReads,
    max_tokens: number('--judge-max-tokens', flags.judgeMaxTokens, 1),
    steps:
      flags.steps === undefined ? undefined : defined({ split: flags.steps, aggregate: flags.aggregate }),
  });
  const address = isAddress(flags.judge);
  const ofServer = defined({
    model: flags.judgeModel,
    temperature:
      flags.judgeTemperature === undefined
        ? undefined
        : notNegative('--judge-temperature', flags.judgeTemperature),
    concurrency: number('--judge-concurrency', flags.judgeConcurrency, 1),
    timeout_s: number('--judge-timeout', flags.judgeTimeout, 1),
    key_variable: flags.judgeKey,
    cache: flags.judgeCache,
  });
  const [stray] = address ? [] : Object.keys(ofServer);
  if (stray !== undefined)
    throw new InputError(
      `--judge ${flags.judge}: is no server's address, and ${FLAG_OF[stray]} is about one`,
    );
  const settings =
    flags.judge === 'oracle'
      ? ('oracle' as const)
      : address
        ? parseWith(EndpointSettings, { url: flags.judge, ...ofServer, ...asked }, '--judge')
        : parseWith(FolderSettings, { model: flags.judge, ...asked }, '--judge');
  const warn = (line: string) => process.stderr.write(`${line}\n`);
  return openJudge(
    settings,
    { provider: 'cpu', threads: threadsOf(flags.threads), tokenBudget: TOKEN_BUDGET },
    { warn },
  );
}

/** Tokens computed at once. */
const TOKEN_BUDGET = 8192;

/** The text of `--judge-template`'s file. Throws InputError where it cannot be read. */
export function judgeTemplate({ judgeTemplate: file }: Partial<JudgeFlags>): string | undefined {
  return file === undefined ? undefined : templateFile('--judge-template', file);
}

/** Throws InputError for a flag that says how a model is asked: the oracle knows. */
function refuseOfOracle(flags: JudgeFlags): void {
  const asked = ['judgeTemplate', 'judgeThinks', 'judgeReads', 'judgeMaxTokens'];
  const stray = ABOUT_A_JUDGE.find(([name]) => asked.includes(name) && flags[name] !== undefined);
  if (stray !== undefined)
    throw new InputError(`${stray[1]}: says how a model is asked, and the oracle is none; leave it out`);
  if (flags.steps !== undefined)
    throw new InputError('--steps: the oracle judges a response as a whole; leave it out');
}

const FLAG_OF: Record<string, string> = {
  model: '--judge-model',
  temperature: '--judge-temperature',
  concurrency: '--judge-concurrency',
  timeout_s: '--judge-timeout',
  key_variable: '--judge-key',
  cache: '--judge-cache',
};

function defined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
