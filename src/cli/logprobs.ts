/** `sophia logprobs`: how likely a checkpoint finds given completions, JSON Lines to JSON Lines. */
import { type Command, Option } from 'commander';
import { type ProviderName, providerNames, providerOf } from '../engine/local/provider.ts';
import { ADAPTER, modelFolder, threadsOf, wholeNumber } from './flags.ts';
import { printRows } from './rows.ts';

interface Flags {
  model: string;
  adapter?: string;
  in: string;
  greedy?: string;
  threads?: string;
  provider: ProviderName;
}

export function register(program: Command): void {
  program
    .command('logprobs')
    .description(
      'log-probabilities of completions: JSONL rows {messages, completion} in, the rows plus {prompt_ids, completion_ids, logprobs} out',
    )
    .requiredOption('--model <dir>', 'a Qwen2.5-VL folder: a checkpoint of a run, or one from a hub')
    .option(...ADAPTER)
    .requiredOption('--in <file>', 'JSONL file, or - for standard input')
    .option('--greedy <n>', 'also {greedy_ids}: the n most likely tokens one after another, past any end')
    .option('--threads <n>', 'by default one a core')
    .addOption(new Option('--provider <name>', 'what computes').choices([...providerNames]).default('auto'))
    .option('--json', 'JSON Lines on stdout (always so)')
    .action(logprobs);
}

async function logprobs(flags: Flags): Promise<void> {
  const model = modelFolder(flags.model);
  const { adapter = null } = flags;
  const greedy = flags.greedy === undefined ? null : wholeNumber('--greedy', flags.greedy, 1);
  const threads = threadsOf(flags.threads);
  const provider = await providerOf(`--provider ${flags.provider}:`, flags.provider);
  const { scoreCompletions } = await import('../eval/completions.ts');
  await printRows(scoreCompletions(flags.in, { model, adapter, greedy, provider, threads }));
}
