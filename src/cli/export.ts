/** `sophia export`: a checkpoint written anew, with an adapter merged into it, in another dtype or other shards. */
import { type Command, Option } from 'commander';
import type { DtypeName } from '../data/export-model.ts';
import { byteSize, modelFolder } from './flags.ts';
import { createProgress } from './progress.ts';

interface Flags {
  model: string;
  adapter?: string;
  out: string;
  dtype?: DtypeName;
  maxShardSize: string;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('export')
    .description('Write a checkpoint anew: an adapter merged into it, another dtype, other shards')
    .requiredOption(
      '--model <dir>',
      'a Qwen2.5-VL folder: a checkpoint of a run (adapters are merged into their base), or one from a hub',
    )
    .option('--adapter <dir>', 'a LoRA adapter in the format of PEFT, to be merged')
    .requiredOption('--out <dir>', 'a new folder')
    .addOption(
      new Option('--dtype <name>', 'of the weights; by default as they are').choices([
        'float32',
        'bfloat16',
        'float16',
      ]),
    )
    .option('--max-shard-size <size>', 'of one file: 500MB, 5GB …', '5GB')
    .option('--json', 'print what was written as JSON')
    .action(write);
}

async function write(flags: Flags): Promise<void> {
  const model = modelFolder(flags.model);
  const maxShardBytes = byteSize('--max-shard-size', flags.maxShardSize);
  const { adapter = null, out, dtype = null } = flags;
  const { exportModel } = await import('../data/export-model.ts');
  const progress = createProgress();
  let started = false;
  const onProgress = (done: number, total: number) => {
    if (!started) progress.start('tensors', total);
    started = true;
    progress.update('tensors', done);
  };
  try {
    const written = await exportModel({ model, adapter, out, dtype, maxShardBytes, onProgress });
    progress.finish('tensors');
    const { files, tensors, bytes, merged, leftOut } = written;
    if (leftOut.length > 0)
      process.stderr.write(`left out, not of this architecture: ${leftOut.join(', ')}\n`);
    const size = `${(bytes / 1e6).toFixed(1)} MB in ${files.length} file${files.length === 1 ? '' : 's'}`;
    process.stdout.write(
      flags.json
        ? `${JSON.stringify({ model, adapter, out, dtype, files, tensors, bytes, merged, left_out: leftOut })}\n`
        : `${out}: ${tensors} tensors${merged === 0 ? '' : `, ${merged} of them with the adapter merged in`}, ${size}\n`,
    );
  } finally {
    progress.stop();
  }
}
