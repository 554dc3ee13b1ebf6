/** `sophia eval`: a checkpoint, or a model behind a server, on benchmarks or on a file of records. */
import { type Command, Option } from 'commander';
import { InputError } from '../errors.ts';
import type { EvalFlags } from './eval/flags.ts';
import { ADAPTER } from './flags.ts';
import { withOptionalJudgeFlags } from './judge-flags.ts';
import { withRecordFlags } from './record-flags.ts';

export function register(program: Command): void {
  const command = program
    .command('eval')
    .description(
      'Score a model on benchmarks, or on records (those of a world are judged by its oracle as well)',
    )
    .requiredOption(
      '--model <dir|url>',
      'a Qwen2.5-VL folder (a checkpoint of a run, or one from a hub), or an OpenAI-compatible server',
    )
    .option(...ADAPTER)
    .option('--model-name <name>', "the model's name at that server; default by default")
    .option('--concurrency <n>', 'calls to a server under way at once; 8 by default')
    .option('--timeout <seconds>', 'until a call is given up and tried again; 300 by default')
    .option('--key <variable>', 'environment variable with the key; OPENAI_API_KEY by default')
    .option('--cache <dir>', "folder that keeps a server's replies, for other evaluations too")
    .option('--benchmark <names>', 'benchmarks, each as NAME or NAME:VARIANT, with commas between them')
    .option(
      '--data <path>',
      'records: a file, a folder (sophia world writes one), a pattern with *, or hf://datasets/OWNER/NAME; with --benchmark, the folder of published files, or hf://datasets/OWNER/NAME; by default where the hub has them',
    )
    .option('--split <name>', "only a world's records of this split; of a folder, the file NAME.jsonl")
    .option(
      '--out <dir>',
      'folder for what is found out; by default eval/MODEL-SPLIT or eval/MODEL-BENCHMARK',
    )
    .option(
      '--template <text>',
      'how a question is written, with {problem} and {options}; {problem} by default',
    )
    .addOption(
      new Option(
        '--format <how>',
        'the question by itself, or with a request for <think>…</think><answer>…</answer>; plain by default',
      ).choices(['plain', 'think']),
    )
    .option('--system <text>', 'a system prompt; none by default')
    .option('--temperature <t>', '0 is greedy; by default 0, with --best-of 1')
    .option('--max-tokens <n>', 'longest response; by default 512, of benchmarks 2048')
    .option('--limit <n>', 'at most so many questions')
    .option('--seed <n>', 'of the draws, where the temperature is not 0', '0')
    .option('--threads <n>', 'of a model on this machine; by default one a core')
    .option('--json', 'print the scores as JSON')
    .addOption(
      new Option(
        '--failures <as>',
        'count questions that a server gave no response to; by default there are no scores then',
      ).choices(['wrong']),
    )
    .option('--best-of <n>', 'so many responses a question, of which --judge or --vote chooses one')
    .addOption(
      new Option('--vote <how>', 'the most frequent answer is chosen, also where a judge scores').choices([
        'majority',
      ]),
    )
    .addOption(
      new Option(
        '--scorer <school>',
        "of benchmarks: their own rules, or VLMEvalKit's; official by default",
      ).choices(['official', 'vlmevalkit']),
    )
    .option(
      '--extractor <url>',
      'of benchmarks: a server that reads what rules cannot; by default rules alone',
    )
    .option('--extractor-model <name>', "the model's name at that server; default by default")
    .option(
      '--extractor-template <file>',
      "its prompt in place of the benchmark's own; STEP=FILE where there are several, repeated",
      (file: string, files: string[] = []) => [...files, file],
    )
    .option('--extractor-max-tokens <n>', 'longest reply; 512 by default')
    .option('--extractor-concurrency <n>', 'calls under way at once; 8 by default')
    .option('--extractor-timeout <seconds>', 'until a call is given up and tried again; 60 by default')
    .option('--extractor-key <variable>', 'environment variable with the key; OPENAI_API_KEY by default');
  withOptionalJudgeFlags(withRecordFlags(command)).action(evaluate);
}

async function evaluate(flags: EvalFlags): Promise<void> {
  if (flags.benchmark !== undefined) {
    const { evaluateBenchmarks } = await import('./eval/benchmarks.ts');
    return evaluateBenchmarks(flags, flags.benchmark);
  }
  if (flags.data === undefined)
    throw new InputError('--data: missing; name a file of records, or a benchmark with --benchmark');
  const { evaluateRecordFile } = await import('./eval/records.ts');
  return evaluateRecordFile(flags, flags.data);
}
