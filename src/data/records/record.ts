/**
 * The record: one question of a data set in the schema of the published training data (SophiaVL-R1, arXiv 2505.17018,
 * section 3.4), with three optional additions of ours. Real files are loose, so what may be left out may also be null.
 */
import { z } from 'zod';
import { type ProblemType, problemTypes } from '../../rewards/types.ts';
import { parseWith } from '../validate.ts';

/** Names of the worlds whose facts a record may hold, as these facts say them. */
const WORLDS: readonly unknown[] = ['seeing'];

export const dataTypes = ['image', 'text'] as const;
export type DataType = (typeof dataTypes)[number];

/** A part of a response; only parts with `train` carry loss. Parts bring their own white space. */
export interface Segment {
  text: string;
  train: boolean;
}

export interface DataRecord {
  problem_id: string | number;
  problem: string;
  data_type: DataType;
  problem_type: ProblemType;
  /** Answer options as they stand, e.g. `A. 3`; empty where there are none. */
  options: string[];
  /** A reference reasoning; '' where there is none. */
  process: string;
  /** `<answer>5</answer>`, or the answer alone. */
  solution: string;
  /** The picture's file, relative to the record's file; null for text. */
  path: string | null;
  data_source: string;
  /** What a world's oracle needs to judge responses to this question. */
  world?: unknown;
  /** A response for supervised training of which only some parts are learnt. */
  segments?: Segment[];
  /** A response: for supervised training, or one to be judged. */
  response?: string;
  /** How sound the response's thinking is, 0…1, as an annotator scored it: what a thinking reward model learns. */
  score?: number;
  /** The response in pieces, each with how right it is, 0…1: what a step model learns. */
  steps?: ScoredStep[];
}

/** A step of a response and how right it is, 0…1. */
export interface ScoredStep {
  text: string;
  score: number;
}

const textOrNumber = z.union([z.string(), z.number()]);
const emptyText = z
  .string()
  .nullish()
  .transform((text) => text ?? '');

const fields = z.object({
  problem_id: textOrNumber,
  problem: z.string(),
  data_type: z.enum(dataTypes),
  problem_type: z.enum(problemTypes),
  options: z
    .array(textOrNumber.transform(String))
    .nullish()
    .transform((options) => options ?? []),
  process: emptyText,
  solution: textOrNumber.transform(String),
  path: z.string().nullish(),
  image: z.unknown().optional(),
  images: z.unknown().optional(),
  data_source: emptyText,
  world: z.unknown().optional(),
  segments: z
    .array(z.object({ text: z.string(), train: z.boolean() }))
    .min(1, 'needs at least one segment')
    .nullish(),
  response: z.string().nullish(),
  score: z.number().min(0).max(1).nullish(),
  steps: z.array(z.object({ text: z.string(), score: z.number().min(0).max(1) })).nullish(),
});

/** Keys that a record is read from. */
export const recordFields: readonly string[] = Object.keys(fields.shape);

const schema = fields.transform(
  ({ path, image, images, world, segments, response, score, steps, ...rest }, context): DataRecord => {
    // what some data sets call the path
    const picture = path || pathIn(image) || pathIn(images) || null;
    const facts = worldIn(world);
    if (rest.data_type === 'image' && picture === null)
      context.addIssue({ code: 'custom', message: 'a record of data_type "image" needs a path' });
    return {
      ...rest,
      path: rest.data_type === 'image' ? picture : null,
      ...(facts === undefined ? {} : { world: facts }),
      ...(segments == null ? {} : { segments }),
      ...(response == null ? {} : { response }),
      ...(score == null ? {} : { score }),
      ...(steps == null ? {} : { steps }),
    };
  },
);

/** Reads one record; fields it does not know are left out. Throws InputError `SOURCE: key: …`. */
export function parseRecord(value: unknown, source: string): DataRecord {
  return parseWith(schema, value, source);
}

/** A world's facts in a record's `world`; undefined where that is somebody else's field of the same name. */
export function worldIn(value: unknown): unknown {
  const named = value !== null && typeof value === 'object' && 'name' in value && WORLDS.includes(value.name);
  return named ? value : undefined;
}

/** A picture's file as data sets name it: `a/b.png`, {path: 'a/b.png'} or a list of one of these. */
export function pathIn(cell: unknown): string | null {
  if (typeof cell === 'string') return cell;
  if (Array.isArray(cell)) return cell.length === 1 ? pathIn(cell[0]) : null;
  if (cell !== null && typeof cell === 'object' && 'path' in cell) return pathIn(cell.path);
  return null;
}
