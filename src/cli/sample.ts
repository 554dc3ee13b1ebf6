/** `sophia sample`: asks a checkpoint about pictures; the response is printed as it is drawn. */
import type { Command } from 'commander';
import { ADAPTER, modelFolder, notNegative, threadsOf, wholeNumber } from './flags.ts';

interface Flags {
  model: string;
  adapter?: string;
  image: string[];
  prompt: string;
  maxTokens: string;
  temperature: string;
  seed: string;
  threads?: string;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('sample')
    .description('Ask a checkpoint about a picture')
    .requiredOption('--model <dir>', 'a Qwen2.5-VL folder: a checkpoint of a run, or one from a hub')
    .option(...ADAPTER)
    .option('--image <file...>', 'pictures, before the text; may be given again', [])
    .requiredOption('--prompt <text>', 'the question')
    .option('--max-tokens <n>', 'longest response', '512')
    .option('--temperature <t>', '0 is greedy', '0')
    .option('--seed <n>', 'of the draws, where the temperature is not 0', '0')
    .option('--threads <n>', 'by default one a core')
    .option('--json', 'print one JSON document when the response is whole')
    .action(sample);
}

async function sample(flags: Flags): Promise<void> {
  const model = modelFolder(flags.model);
  const maxTokens = wholeNumber('--max-tokens', flags.maxTokens, 1);
  const temperature = notNegative('--temperature', flags.temperature);
  const seed = wholeNumber('--seed', flags.seed, 0);
  const threads = threadsOf(flags.threads);
  const { ask } = await import('../eval/ask.ts');
  const { adapter = null, image: pictures, prompt, json } = flags;
  const settings = { model, adapter, pictures, prompt, maxTokens, temperature, seed, threads };
  const print = json ? () => {} : (text: string) => process.stdout.write(text);
  const { response, tokens, finish } = await ask(settings, print);
  process.stdout.write(
    json
      ? `${JSON.stringify({ model, adapter, image: pictures, prompt, temperature, seed, response, tokens, finish })}\n`
      : '\n',
  );
  if (finish === 'length') process.stderr.write(`cut off after ${tokens} tokens (--max-tokens)\n`);
}
