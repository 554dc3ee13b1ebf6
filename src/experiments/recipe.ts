/**
 * The recipe: everything a run depends on, as one YAML file (recipe-file.ts reads it). Keys and defaults stand here;
 * docs/recipes.md explains them. An unknown key is an error, so that a misspelt one never passes for its default.
 */
import { z } from 'zod';
import { DomainTable } from '../data/records/domains.ts';
import { Filter } from '../data/records/filter.ts';
import { complaintOf, Sources } from '../data/records/sources.ts';
import { LANGUAGE_MODEL } from '../models/lora/config.ts';
import { CURATION_DEFAULTS } from '../trm/curate.ts';
import { RULE_NAMES } from '../trm/curation-rules.ts';
import { ORDERS } from '../trm/lessons.ts';
import { EndpointSettings, FolderSettings, Steps } from '../trm/settings.ts';
import { scalings } from '../trust/advantage.ts';
import { aggregations } from '../trust/loss.ts';
import { type VariantName, variants } from '../trust/variants.ts';
import { QUICKSTART_SIZES } from './world-files.ts';

const whole = z.number().int().positive();
const count = z.number().int().nonnegative();
const nonNegative = z.number().nonnegative();
const names = <T extends string>(table: Record<T, unknown>) => z.enum(Object.keys(table) as [T, ...T[]]);
const variant = names<VariantName>(variants);

const optimizer = (defaults: {
  learning_rate: number;
  warmup: number;
  schedule: 'constant' | 'cosine';
  final: number;
  weight_decay: number;
}) =>
  z
    .strictObject({
      learning_rate: nonNegative.default(defaults.learning_rate),
      warmup: count.default(defaults.warmup),
      schedule: z.enum(['constant', 'cosine']).default(defaults.schedule),
      final: z.number().min(0).max(1).default(defaults.final),
      betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.98]),
      eps: z.number().positive().default(1e-8),
      weight_decay: nonNegative.default(defaults.weight_decay),
      max_grad_norm: nonNegative.default(1),
    })
    .prefault({});

const sizes = z
  .strictObject({
    pictures: whole.default(QUICKSTART_SIZES.pictures),
    captions: whole.default(QUICKSTART_SIZES.captions),
    lookups: whole.default(QUICKSTART_SIZES.lookups),
    listings: whole.default(QUICKSTART_SIZES.listings),
    mixed: whole.default(QUICKSTART_SIZES.mixed),
    trm: whole.default(QUICKSTART_SIZES.trm),
    rl: whole.default(QUICKSTART_SIZES.rl),
    test: whole.default(QUICKSTART_SIZES.test),
  })
  .prefault({});

const KINDS = ['captions', 'lookups', 'listings', 'mixed'] as const;
export type LessonKind = (typeof KINDS)[number];

const architecture = z
  .strictObject({
    hidden: whole.default(96),
    layers: whole.default(4),
    heads: whole.default(4),
    kv_heads: whole.default(2),
    intermediate: whole.default(256),
    vision_hidden: whole.default(64),
    vision_layers: whole.default(2),
    vision_heads: whole.default(2),
    vision_intermediate: whole.default(128),
  })
  .prefault({});

/** One of a few words, or a judge's settings: of a server where they have a `url`, else of a folder. */
const judgeOr = <T extends string>(...words: T[]) =>
  z.unknown().transform((value, context): T | EndpointSettings | FolderSettings => {
    const named = z.enum(words, {
      error: `must be ${words.join(', ')}, {model: DIR}, or {url: ADDRESS, model: NAME}`,
    });
    const settings = typeof value === 'object' && value !== null;
    const read = (settings ? ('url' in value ? EndpointSettings : FolderSettings) : named).safeParse(value);
    if (read.success) return read.data as T | EndpointSettings | FolderSettings;
    context.issues.push(...(read.error.issues as typeof context.issues));
    return z.NEVER;
  });

/** Which scored responses a TRM learns from (trm/curate.ts). */
const curation = z
  .strictObject({
    floor: count.default(0),
    cap: whole.default(300),
    total: whole.default(CURATION_DEFAULTS.total),
    min_thinking: count.default(CURATION_DEFAULTS.min_thinking),
    loop_words: whole.default(CURATION_DEFAULTS.loop_words),
    loop_times: whole.default(CURATION_DEFAULTS.loop_times),
    max_foreign: z.number().min(0).max(1).default(CURATION_DEFAULTS.max_foreign),
    max_over: z.number().min(0).max(1).default(CURATION_DEFAULTS.max_over),
    max_under: z.number().min(0).max(1).default(CURATION_DEFAULTS.max_under),
    without: z.array(z.enum(RULE_NAMES).exclude(['unscored'])).default([]),
  })
  .prefault({});

/** A step model instead: a TRM of the beginnings of responses (trm/steps/). */
const byStep = z.strictObject({
  labels: z.enum(['oracle', 'monte-carlo']).default('oracle'),
  split: Steps.shape.split.unwrap().default('statements'),
  aggregate: Steps.shape.aggregate,
  /** Continuations a step, for labels by Monte-Carlo completion. */
  completions: whole.default(8),
});

/** Training a TRM on, while the policy that it judges moves (train/refresh.ts). */
const refresh = z.strictObject({
  every: whole.default(10),
  steps: whole.default(60),
  batch: whole.default(32),
  optimizer: optimizer({
    learning_rate: 5e-4,
    warmup: 0,
    schedule: 'constant',
    final: 1,
    weight_decay: 0.01,
  }),
});

/** Low-rank adapters (Hu et al. 2021, arXiv 2106.09685), as PEFT's LoraConfig has them. */
const lora = z.strictObject({
  rank: whole.default(16),
  /** Adapters are scaled by alpha/rank. */
  alpha: z.number().positive().default(32),
  /** PEFT's target_modules: endings of module names, a regular expression of whole names, or all-linear. */
  targets: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1, 'names no module')], {
      error: 'must be a list of endings of module names, a regular expression of whole names, or all-linear',
    })
    .default(LANGUAGE_MODEL),
});

export const Recipe = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]+$/, 'may hold letters, digits, dots, dashes and underscores')
    .default('quickstart'),
  /** One full run each. */
  seeds: z
    .array(count)
    .min(1, 'needs at least one seed')
    .refine((all) => new Set(all).size === all.length, 'names a seed twice')
    .default([0]),
  /** Folder of a Qwen2.5-VL checkpoint to start from; null: a small model made from nothing. */
  model: z.string().nullable().default(null),
  architecture,
  /**
   * Train adapters beside frozen weights, by reinforcement and as the TRM; null: all weights. A cold start always trains
   * all.
   */
  lora: lora.nullable().default(null),
  engine: z
    .strictObject({
      provider: z.enum(['auto', 'cpu', 'webgpu', 'cuda']).default('auto'),
      /** Threads of each engine; the main variant and the baselines run side by side. */
      threads: whole.max(256, 'must be 256 at most').default(1),
      /** Tokens that each lane of an engine computes at once; longer batches are cut up, a longer sequence stands alone. */
      token_budget: whole.default(2048),
    })
    .prefault({}),
  data: z
    .strictObject({
      /** Records to train on by reinforcement, from one source or a mixture; null: the world's. */
      train: Sources.superRefine((sources, context) => {
        const message = complaintOf(sources);
        if (message !== null) context.addIssue({ code: 'custom', message });
      })
        .nullable()
        .default(null),
      /** Records to evaluate on: drawn like the training data, and shifted; null: the world's. */
      id: z.string().nullable().default(null),
      ood: z.string().nullable().default(null),
      /** Which of the records to train on are left out; null: none. */
      filter: Filter.nullable().default(null),
      /** Domains of sources beyond those that are known: {NAME: DOMAIN}, or a JSON file of these. */
      domains: z
        .union([z.string().min(1), DomainTable])
        .nullable()
        .default(null),
      /** How a question is written, with {problem} and {options}. */
      template: z.string().default('{problem}'),
      /** Folder in which pictures may lie, beside the one of each file of records; null: only that. */
      root: z.string().nullable().default(null),
      /** Whether records may name http(s) URLs as pictures. */
      urls: z.boolean().default(false),
      /** Share of the training rows that may be left out because they cannot be used. */
      max_bad: z.number().min(0).max(1).default(0.01),
    })
    .prefault({}),
  world: sizes,
  /** Supervised training of a model made from nothing. */
  cold_start: z
    .strictObject({
      phases: z
        .array(z.strictObject({ steps: whole, cycle: z.array(z.enum(KINDS)).min(1) }))
        .min(1)
        .default([
          { steps: 250, cycle: ['captions', 'captions', 'captions', 'lookups'] },
          { steps: 500, cycle: ['captions', 'listings', 'lookups', 'listings'] },
          { steps: 1750, cycle: ['listings', 'listings', 'listings', 'lookups'] },
          { steps: 800, cycle: ['mixed', 'mixed', 'mixed', 'lookups'] },
        ]),
      batch: z
        .strictObject({
          captions: whole.default(16),
          lookups: whole.default(32),
          listings: whole.default(16),
          mixed: whole.default(16),
        })
        .prefault({}),
      save_every: whole.default(550),
      optimizer: optimizer({
        learning_rate: 1e-3,
        warmup: 30,
        schedule: 'cosine',
        final: 0.05,
        weight_decay: 0.01,
      }),
    })
    .prefault({}),
  /** Who gives thinking rewards: a TRM trained in this run, the world's oracle, nobody, a TRM's folder, or a server. */
  judge: judgeOr('trm', 'oracle', 'none').default('trm'),
  trm: z
    .strictObject({
      /** Who scores the responses that it learns from. */
      annotator: judgeOr('oracle').default('oracle'),
      /** Score every step of a response; null: responses as a whole. */
      by_step: byStep.nullable().default(null),
      /** Responses a question, sampled from the policy at its start. */
      samples: whole.default(2),
      temperature: nonNegative.default(1),
      /** Share of the questions that is kept for measuring reliability. */
      held_out: z.number().gt(0).lt(1).default(0.2),
      curate: curation,
      steps: whole.default(300),
      batch: whole.default(32),
      /** Epoch after epoch, or drawn by how rare a score is. */
      order: z.enum(ORDERS).default('epochs'),
      save_every: whole.default(150),
      /** The judge's prompt; null: as its vocabulary asks for. */
      template: z.string().nullable().default(null),
      optimizer: optimizer({
        learning_rate: 1e-3,
        warmup: 20,
        schedule: 'cosine',
        final: 0.05,
        weight_decay: 0.01,
      }),
      /** Train it on during reinforcement; null: it stays as it is. */
      refresh: refresh.nullable().default(null),
    })
    .prefault({}),
  variant: variant.default('trust-grpo'),
  /** Trained beside it from the same start. */
  baselines: z.array(variant).default(['grpo']),
  rl: z
    .strictObject({
      steps: whole.default(60),
      prompts: whole.default(12),
      samples: whole.default(8),
      temperature: z.number().positive().default(1),
      top_p: z.number().gt(0).max(1).default(1),
      max_tokens: whole.default(26),
      alpha: nonNegative.default(0.3),
      kl_beta: nonNegative.default(0),
      clip_low: z.number().min(0).max(1).default(0.2),
      clip_high: nonNegative.default(0.2),
      aggregation: names(aggregations).default('token_mean'),
      scaling: names(scalings).default('paper'),
      updates: whole.default(1),
      warn_coverage: z.number().min(0).max(1).default(0.9),
      min_coverage: z.number().min(0).max(1).default(0.5),
      judge_deadline_s: z.number().positive().default(600),
      save_every: whole.default(20),
      keep: whole.default(2),
      optimizer: optimizer({
        learning_rate: 2e-4,
        warmup: 5,
        schedule: 'constant',
        final: 1,
        weight_decay: 0,
      }),
    })
    .prefault({}),
  eval: z
    .strictObject({
      temperature: nonNegative.default(0),
      max_tokens: whole.default(30),
      /** At most so many questions of each file; null: all. */
      limit: whole.nullable().default(null),
    })
    .prefault({}),
});
export type Recipe = z.infer<typeof Recipe>;
