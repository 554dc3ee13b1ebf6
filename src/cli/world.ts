/** `sophia world`: pictures and questions of a synthetic world, as PNG files and records. */
import { type Command, Option } from 'commander';
import { TEMPLATES, type Template } from '../worlds/seeing/index.ts';
import { wholeNumber } from './flags.ts';
import { createProgress } from './progress.ts';

const splits = ['train', 'test-id', 'test-ood'] as const;

interface Flags {
  world: string;
  count: string;
  seed: string;
  split: (typeof splits)[number];
  out: string;
  template?: Template;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('world')
    .description('Write pictures and questions of a synthetic world whose every statement can be checked')
    .addOption(new Option('--world <name>', 'which world').choices(['seeing']).default('seeing'))
    .requiredOption('--count <n>', 'how many records')
    .option('--seed <n>', 'the same seed writes the same bytes', '0')
    .addOption(
      new Option('--split <name>', 'test-id and test-ood ask the same, the notes of test-ood say nothing')
        .choices(splits)
        .default('train'),
    )
    .addOption(new Option('--template <name>', 'questions of one kind only').choices(TEMPLATES))
    .requiredOption('--out <dir>', 'folder for records.jsonl and images/')
    .option('--json', 'print what was written as JSON')
    .action(world);
}

async function world(flags: Flags): Promise<void> {
  const count = wholeNumber('--count', flags.count, 1);
  const seed = wholeNumber('--seed', flags.seed, 0);
  const { split, template, out } = flags;
  const { writeSplit } = await import('../experiments/world-files.ts');
  const progress = createProgress();
  let started = false;
  const onProgress = (done: number, total: number) => {
    if (!started) progress.start('pictures', total);
    started = true;
    progress.update('pictures', done);
  };
  try {
    const written = await writeSplit({ dir: out, seed, split, count, template, onProgress });
    progress.finish('pictures');
    const { records, pictures } = written;
    process.stdout.write(
      flags.json
        ? `${JSON.stringify({ world: flags.world, split, seed, ...written })}\n`
        : `${records}: ${count} records, ${pictures} pictures\n`,
    );
  } finally {
    progress.stop();
  }
}
