/** `sophia reward`: outcome rewards of responses, JSON Lines to JSON Lines. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { outcomeReward } from '../rewards/outcome.ts';
import { problemTypes, type RewardVariant, rewardVariants } from '../rewards/types.ts';
import { mapRows, must } from './rows.ts';

const rowSchema = z.object(
  {
    problem_type: z.enum(problemTypes, must(`one of ${problemTypes.map((type) => `"${type}"`).join(', ')}`)),
    response: z.string(must('a string')),
    solution: z
      .union([z.string(), z.number()], must('a string or a number, "<answer>5</answer>", "5" or 5'))
      .transform(String),
  },
  must('a JSON object {"problem_type", "response", "solution"}'),
);

export function register(program: Command): void {
  program
    .command('reward')
    .description(
      'score responses by their answers: JSONL rows {problem_type, response, solution} in, the rows plus {reward, format_ok} out',
    )
    .requiredOption('--in <file>', 'JSONL file, or - for standard input')
    .addOption(
      new Option('--variant <name>', 'the paper’s rewards or those of the published code')
        .choices(rewardVariants)
        .default('paper'),
    )
    .option('--json', 'JSON Lines on stdout (always so)')
    .action(async (options: { in: string; variant: RewardVariant }) => {
      await mapRows(options.in, rowSchema, ({ problem_type: problemType, response, solution }) => {
        const { reward, formatOk, answer, exact } = outcomeReward({
          problemType,
          response,
          solution,
          variant: options.variant,
        });
        return { fields: { reward, format_ok: formatOk }, also: { answer, exact } };
      });
    });
}
