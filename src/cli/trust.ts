/** `sophia trust`: Trust-GRPO's weights, rewards and advantages of groups, JSON Lines to JSON Lines. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { type ScalingName, scalings } from '../trust/advantage.ts';
import { trustGroup } from '../trust/group.ts';
import { type VariantName, variants } from '../trust/variants.ts';
import { mapRows, must } from './rows.ts';

const finite = must('a finite number');
// The sum of a group must stay finite too.
const reward = z.number(finite).min(-1e100, finite).max(1e100, finite);
const notNegative = must('a number that is 0 or more');
const rowSchema = z
  .object(
    {
      step: z.number(notNegative).min(0, notNegative),
      total_steps: z.number(must('a number above 0')).positive(must('a number above 0')),
      alpha: z.number(notNegative).min(0, notNegative).max(1e100, notNegative).optional(),
      outcome: z
        .array(reward, must('an array of numbers'))
        .min(1, 'the group is empty; give one number a response'),
      thinking: z.array(
        z.union([reward, z.null()], must('a finite number, or null where it is missing')),
        must('an array of numbers and nulls'),
      ),
    },
    must('a JSON object {"step", "total_steps", "outcome", "thinking"}'),
  )
  .refine(({ outcome, thinking }) => outcome.length === thinking.length, {
    path: ['thinking'],
    error: 'its length is not that of outcome; give one entry a response, null where it is missing',
  });

export function register(program: Command): void {
  program
    .command('trust')
    .description(
      'weigh thinking rewards: JSONL groups {step, total_steps, alpha?, outcome, thinking} in, the groups plus {mu_c, mu_w, gamma, reward, advantage} out',
    )
    .requiredOption('--in <file>', 'JSONL file, or - for standard input')
    .option('--alpha <number>', 'weight of the thinking reward where a row has none', weight, 0.3)
    .addOption(
      new Option('--variant <name>', 'paper is trust-grpo; reference is the published code')
        .choices(['paper', ...Object.keys(variants)])
        .default('paper'),
    )
    .addOption(
      new Option('--scaling <name>', 'how advantages are scaled and tied groups treated')
        .choices(Object.keys(scalings))
        .default('paper'),
    )
    .option('--json', 'JSON Lines on stdout (always so)')
    .action(
      async (options: {
        in: string;
        alpha: number;
        variant: VariantName | 'paper';
        scaling: ScalingName;
      }) => {
        const variant = options.variant === 'paper' ? 'trust-grpo' : options.variant;
        await mapRows(options.in, rowSchema, (row) => {
          const alpha = row.alpha ?? options.alpha;
          const group = trustGroup({
            ...row,
            totalSteps: row.total_steps,
            alpha,
            variant,
            scaling: options.scaling,
          });
          const { muC: mu_c, muW: mu_w, gamma, reward, advantage, anneal, tied } = group;
          return { fields: { mu_c, mu_w, gamma, reward, advantage }, also: { anneal, tied } };
        });
      },
    );
}

function weight(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1e100))
    throw new InvalidArgumentError('It must be a number that is 0 or more.');
  return value;
}
