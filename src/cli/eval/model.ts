/** The model that `sophia eval` asks: a folder's, on the local engine, or one behind a server. */
import { isAddress, withoutSecrets } from '../../data/servers/server-name.ts';
import { InputError } from '../../errors.ts';
import type { Asker } from '../../eval/asking/asker.ts';
import { wholeNumber } from '../flags.ts';
import { openPolicyFolder } from '../trm/policy-folder.ts';
import { type EvalFlags, refuse, type Sampling } from './flags.ts';

/** Throws InputError: a folder, an address, a key or a flag that cannot be. */
export async function openAsker(flags: EvalFlags, sampling: Sampling): Promise<Asker> {
  return isAddress(flags.model) ? serverAsker(flags, sampling) : folderAsker(flags, sampling);
}

const OF_SERVERS = {
  modelName: '--model-name',
  concurrency: '--concurrency',
  timeout: '--timeout',
  key: '--key',
  cache: '--cache',
  failures: '--failures',
} as const;

/** Throws InputError for a flag about a server where the model is a folder's. */
export function refuseServerFlags(flags: EvalFlags): void {
  const { failures: _, ...ofServers } = OF_SERVERS;
  refuse(flags, ofServers, `is about a server, and --model ${flags.model} is none`);
}

/** Throws InputError for a flag about a folder's model where it is behind a server. */
export function refuseFolderFlags(flags: EvalFlags): void {
  refuse(
    flags,
    // a judge on this machine has threads as well
    { adapter: '--adapter', ...(flags.judge === undefined ? { threads: '--threads' } : {}) },
    `is of a folder's model, and --model ${withoutSecrets(flags.model)} is a server`,
  );
}

async function folderAsker(flags: EvalFlags, sampling: Sampling): Promise<Asker> {
  refuseServerFlags(flags);
  const { engineAsker } = await import('../../eval/asking/asker.ts');
  const { name, ...opened } = await openPolicyFolder({
    policy: flags.model,
    adapter: flags.adapter,
    threads: flags.threads,
    flag: '--model',
  });
  return engineAsker(name, opened, { ...sampling, samples: sampling.bestOf ?? 1 });
}

async function serverAsker(flags: EvalFlags, sampling: Sampling): Promise<Asker> {
  refuseFolderFlags(flags);
  const { endpointAsker } = await import('../../eval/asking/asker.ts');
  const server = serverOf({
    flag: '--model',
    url: flags.model,
    model: flags.modelName,
    concurrency: ['--concurrency', flags.concurrency],
    timeout: ['--timeout', flags.timeout ?? '300'],
    key: flags.key,
  });
  return endpointAsker(server, { ...sampling, samples: sampling.bestOf ?? 1 }, flags.cache ?? null);
}

/** A server by its flags. Throws InputError naming the flag. */
export function serverOf({
  flag,
  url,
  model = 'default',
  concurrency: [concurrencyFlag, concurrency = '8'],
  timeout: [timeoutFlag, timeout],
  key = 'OPENAI_API_KEY',
}: {
  flag: string;
  url: string;
  model: string | undefined;
  concurrency: [flag: string, value: string | undefined];
  timeout: [flag: string, value: string];
  key: string | undefined;
}) {
  if (!/^https?:\/\/[^/]/.test(url))
    throw new InputError(
      `${flag}: must be the address of a server, such as http://127.0.0.1:8000/v1, or a model's folder`,
    );
  const seconds = wholeNumber(timeoutFlag, timeout, 1);
  if (seconds > 300) throw new InputError(`${timeoutFlag} ${timeout}: must be 300 at most`);
  return {
    url,
    model,
    concurrency: wholeNumber(concurrencyFlag, concurrency, 1),
    timeoutMs: 1000 * seconds,
    keyVariable: key,
  };
}
