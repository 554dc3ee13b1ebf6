/** `sophia trm collect`: a run's rollouts, or a policy's responses to records, as rows for a judge to score. */
import type { Command } from 'commander';
import { isAddress, withoutSecrets } from '../../data/servers/server-name.ts';
import { InputError } from '../../errors.ts';
import type { Policy, SamplingOptions } from '../../trm/policy.ts';
import { ADAPTER, notNegative, share, wholeNumber } from '../flags.ts';
import { accessOf, type RecordFlags, withRecordFlags } from '../record-flags.ts';
import { openPolicyFolder } from './policy-folder.ts';
import { FORCE, inputFile, JSON_COUNTS, listed, type OutputFlags, runStage } from './stage.ts';

interface Flags extends OutputFlags, RecordFlags {
  maxBad: string;
  run?: string;
  data?: string;
  policy?: string;
  adapter?: string;
  policyModel?: string;
  policyConcurrency?: string;
  policyTimeout?: string;
  policyKey?: string;
  samples?: string;
  temperature?: string;
  maxTokens?: string;
  seed?: string;
  template?: string;
  limit?: string;
  threads?: string;
}

export function register(trm: Command): void {
  const command = trm
    .command('collect')
    .description('responses with their question and outcome: of a run, or of a policy that is asked')
    .requiredOption('--out <file>', 'JSONL file to write; a stage that was stopped goes on')
    .option('--run <dir>', 'a run folder, or a stage of one: the responses of its rollouts')
    .option('--data <file>', "records: those to ask, or with --run the run's, if they are not in its folder")
    .option('--policy <dir|url>', 'the model to ask: a Qwen2.5-VL folder, or an OpenAI-compatible server')
    .option(...ADAPTER)
    .option('--policy-model <name>', "the model's name at that server; default by default")
    .option('--policy-concurrency <n>', 'calls to a server under way at once; 8 by default')
    .option('--policy-timeout <seconds>', 'until a call is given up and tried again; 300 by default')
    .option('--policy-key <variable>', 'environment variable with the key; OPENAI_API_KEY by default')
    .option('--samples <n>', 'responses a question; 8 by default')
    .option('--temperature <t>', '1 by default')
    .option('--max-tokens <n>', 'longest response; 512 by default')
    .option('--seed <n>', 'of the draws; 0 by default')
    .option(
      '--template <text>',
      'how a question is written, with {problem} and {options}; {problem} by default',
    )
    .option('--limit <n>', 'at most so many questions')
    .option('--threads <n>', 'of a policy on this machine; by default one a core');
  withRecordFlags(command)
    .option('--max-bad <share>', 'of the records, left out where they cannot be used', '0.01')
    .option(...FORCE)
    .option(...JSON_COUNTS)
    .action(collect);
}

async function collect(flags: Flags): Promise<void> {
  if ((flags.run === undefined) === (flags.policy === undefined))
    throw new InputError(
      '--run, --policy: give one of the two: a run whose rollouts to take, or a model to ask',
    );
  await (flags.run === undefined ? fromPolicy(flags, flags.policy!) : fromRun(flags, flags.run));
}

async function fromRun(flags: Flags, run: string): Promise<void> {
  const [stray] = Object.keys(OF_POLICIES).filter((key) => flags[key as keyof Flags] !== undefined);
  if (stray !== undefined)
    throw new InputError(`${OF_POLICIES[stray]}: is of --policy; a run has its responses already`);
  const { runResponses } = await import('../../trm/run-responses.ts');
  const source = await runResponses(run, flags.data ?? null, accessOf(flags));
  const { inputs: groups, bytes } = source;
  const { identityOf } = await import('../../data/records/sources.ts');
  const settings = { run, groups, bytes, data: await identityOf(source.data) };
  await write(flags, source, settings);
}

async function fromPolicy(flags: Flags, model: string): Promise<void> {
  if (flags.data === undefined)
    throw new InputError('--data: missing; name the records whose questions are asked');
  const { checkTemplate } = await import('../../data/chat/prompting.ts');
  const { openRecords } = await import('../../data/records/reader.ts');
  const { policyResponses } = await import('../../trm/collect-file.ts');
  const sampling: SamplingOptions = {
    template: flags.template ?? '{problem}',
    samples: wholeNumber('--samples', flags.samples ?? '8', 1),
    temperature: notNegative('--temperature', flags.temperature ?? '1'),
    maxTokens: wholeNumber('--max-tokens', flags.maxTokens ?? '512', 1),
    seed: wholeNumber('--seed', flags.seed ?? '0', 0),
  };
  checkTemplate(sampling.template, '--template');
  const limit = flags.limit === undefined ? undefined : wholeNumber('--limit', flags.limit, 1);
  const { adapter = null, policyModel = null } = flags;
  const data = await recordsInput(flags.data);
  const settings = {
    policy: withoutSecrets(model),
    adapter,
    model: policyModel,
    data,
    ...sampling,
    limit: limit ?? null,
  };
  const open = isAddress(model) ? policyAtServer : policyInFolder;
  const records = await openRecords(flags.data, {
    access: accessOf(flags),
    maxBad: share('--max-bad', flags.maxBad),
    say: (line) => process.stderr.write(`${line}\n`),
  });
  const policy = await open(flags, model, sampling);
  try {
    await write(flags, policyResponses(records, policy, limit), settings);
  } finally {
    await policy.dispose();
  }
}

/** Records by what they are, as a single file, as shards or in a repository. */
async function recordsInput(data: string): Promise<{ file: string; bytes: number }> {
  const { existsSync, statSync } = await import('node:fs');
  const { isRepository } = await import('../../data/records/shards.ts');
  const { identityOf } = await import('../../data/records/sources.ts');
  const isSet =
    isRepository(data) || data.includes('*') || (existsSync(data) && statSync(data).isDirectory());
  return isSet ? identityOf(data) : inputFile(data, '--data');
}

async function policyInFolder(flags: Flags, model: string, sampling: SamplingOptions): Promise<Policy> {
  const [stray] = Object.keys(OF_SERVERS).filter((key) => flags[key as keyof Flags] !== undefined);
  if (stray !== undefined)
    throw new InputError(`--policy ${model}: is no server's address, and ${OF_SERVERS[stray]} is about one`);
  const { enginePolicy } = await import('../../trm/policy.ts');
  const { name, ...opened } = await openPolicyFolder({ ...flags, policy: model });
  return enginePolicy(name, opened, sampling);
}

async function policyAtServer(flags: Flags, url: string, sampling: SamplingOptions): Promise<Policy> {
  const [stray] = (['adapter', 'threads'] as const).filter((key) => flags[key] !== undefined);
  if (stray !== undefined)
    throw new InputError(
      `--${stray}: is of a folder's model, and --policy ${withoutSecrets(url)} is a server`,
    );
  const { parseWith } = await import('../../data/validate.ts');
  const { EndpointSettings } = await import('../../trm/settings.ts');
  const { endpointPolicy } = await import('../../trm/endpoint-policy.ts');
  const settings = parseWith(
    EndpointSettings.pick({ url: true, model: true, concurrency: true, timeout_s: true, key_variable: true }),
    {
      url,
      model: flags.policyModel,
      concurrency: wholeNumber('--policy-concurrency', flags.policyConcurrency ?? '8', 1),
      timeout_s: wholeNumber('--policy-timeout', flags.policyTimeout ?? '300', 1),
      key_variable: flags.policyKey,
    },
    '--policy',
  );
  return endpointPolicy(settings, sampling);
}

async function write(
  flags: Flags,
  source: import('../../trm/collect.ts').ResponseSource,
  settings: Record<string, unknown>,
): Promise<void> {
  const { collectFile } = await import('../../trm/collect-file.ts');
  await runStage(
    'collect',
    flags,
    async (progress) => {
      const options = { settings: { stage: 'collect', ...settings }, force: flags.force ?? false, progress };
      return (await collectFile(source, flags.out, options)).counts;
    },
    ({ read, failed, duplicates, rows, truncated, broken_format, right }) =>
      [
        `${rows} rows of ${read} responses`,
        listed({ duplicates, ...failed }),
        `of the rows ${listed({ right, truncated, 'of broken format': broken_format }) || 'none right'}`,
      ]
        .filter((part) => part !== '')
        .join('; '),
  );
}

const OF_SERVERS: Record<string, string> = {
  policyModel: '--policy-model',
  policyConcurrency: '--policy-concurrency',
  policyTimeout: '--policy-timeout',
  policyKey: '--policy-key',
};
const OF_POLICIES: Record<string, string> = {
  ...OF_SERVERS,
  adapter: '--adapter',
  samples: '--samples',
  temperature: '--temperature',
  maxTokens: '--max-tokens',
  seed: '--seed',
  template: '--template',
  limit: '--limit',
  threads: '--threads',
};
