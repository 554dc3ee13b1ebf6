/** `sophia data`: looking at sets of records before anything is trained on them, one file a command. */
import type { Command } from 'commander';
import { register as check } from './data/check.ts';
import { register as stats } from './data/stats.ts';

export function register(program: Command): void {
  const data = program
    .command('data')
    .description('Sets of records: what is wrong with them, and what they are made of');
  for (const command of [check, stats]) command(data);
}
