/** `sophia trm`: the Thinking Reward Model's data, training and measurement, one file a stage. */

import type { Command } from 'commander';
import { register as annotate } from './trm/annotate.ts';
import { register as collect } from './trm/collect.ts';
import { register as curate } from './trm/curate.ts';
import { register as score } from './trm/score.ts';
import { register as train } from './trm/train.ts';
import { bench } from './trm-bench.ts';

export function register(program: Command): void {
  const trm = program
    .command('trm')
    .description('The Thinking Reward Model: its data, its training, its scores, and how far to trust them');
  for (const stage of stages) stage(trm);
}

const stages: ((trm: Command) => void)[] = [collect, annotate, curate, train, bench, score];
