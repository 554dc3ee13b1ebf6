/** `sophia trm`: the Thinking Reward Model's data, training and measurement, one file a stage. */
import type { Command } from 'commander';
import { bench } from './trm-bench.ts';

export function register(program: Command): void {
  const trm = program
    .command('trm')
    .description('The Thinking Reward Model: its data, its training, its scores, and how far to trust them');
  for (const stage of stages) stage(trm);
}

const stages: ((trm: Command) => void)[] = [bench];
