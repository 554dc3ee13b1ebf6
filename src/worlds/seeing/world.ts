/** What the oracle needs to know of a question: the `world` field of the seeing world's records, plain JSON. */
import { z } from 'zod';
import { InputError } from '../../errors.ts';
import { isContent, type Rule } from './rule.ts';
import { cellNames, LARGEST_GRID, SMALLEST_GRID } from './vocabulary.ts';

export const TEMPLATES = ['count', 'sum', 'choice', 'ocr', 'free', 'text'] as const;
export type Template = (typeof TEMPLATES)[number];

/** Where a question may be used. All but the tests draw from the contents that are open to training. */
export const SPLITS = ['train', 'cold-start', 'trm', 'rl', 'test-id', 'test-ood'] as const;
export type Split = (typeof SPLITS)[number];

export interface SeeingWorld {
  name: 'seeing';
  template: Template;
  split: Split;
  /** Side of the grid. */
  n: number;
  /** n·n contents in reading order; null for cells that a text-only question does not list. */
  cells: (string | null)[];
  rule: Rule;
  /** Names of the cells the answer rests on, in the question's order. */
  relevant: string[];
  /** Names of the cells that a text-only question lists in words; empty where there is a picture. */
  listed: string[];
  answer: string;
  /** What the note in the question says, and whether it is right. */
  note: string;
  note_right: boolean;
}

const ruleSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('count'), of: z.string() }),
  z.strictObject({ kind: z.literal('sum') }),
  z.strictObject({ kind: z.literal('which'), content: z.string() }),
  z.strictObject({ kind: z.literal('read') }),
  z.strictObject({ kind: z.literal('neighbour') }),
]);

const worldSchema = z
  .object({
    name: z.literal('seeing'),
    template: z.enum(TEMPLATES),
    split: z.enum(SPLITS),
    n: z.int().min(SMALLEST_GRID).max(LARGEST_GRID),
    cells: z.array(z.string().refine(isContent, 'is no content of a cell').nullable()),
    rule: ruleSchema,
    relevant: z.array(z.string()).min(1),
    listed: z.array(z.string()),
    answer: z.string(),
    note: z.string(),
    note_right: z.boolean(),
  })
  .superRefine(({ n, cells, relevant, listed }, context) => {
    const names = cellNames(n);
    if (cells.length !== names.length)
      context.addIssue({
        code: 'custom',
        path: ['cells'],
        message: `needs ${names.length} contents for n = ${n}`,
      });
    for (const [key, list] of Object.entries({ relevant, listed }))
      for (const name of list)
        if (!names.includes(name))
          context.addIssue({
            code: 'custom',
            path: [key],
            message: `${name} is no cell of a ${n}×${n} grid`,
          });
  });

/** Reads a record's `world`. Throws InputError naming the key that is wrong; `source` (e.g. FILE:LINE) opens the message. */
export function parseWorld(record: { world?: unknown }, source = 'record'): SeeingWorld {
  if (record.world == null)
    throw new InputError(
      `${source}: world: is missing; the oracle only judges records that \`sophia world\` wrote`,
    );
  const result = worldSchema.safeParse(record.world);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0];
  throw new InputError(
    `${source}: ${['world', ...path].join('.')}: ${message}; write the records anew with \`sophia world\``,
  );
}
