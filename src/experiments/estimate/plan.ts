/** A recipe as calls of the engine: which stage makes which call how often. */
import type { Prompt, Sequence } from '../../engine/types.ts';
import { asksForThinking } from '../../train/trust-grpo.ts';
import type { VariantName } from '../../trust/variants.ts';
import type { Trained } from '../context.ts';
import type { Recipe } from '../recipe.ts';
import type { Shapes } from './shapes.ts';

/** One call of the engine, as a stage makes it again and again. */
export type Call =
  | { kind: 'backward' | 'logprobs' | 'judge'; sequences: Sequence[] }
  | { kind: 'sample'; prompts: Prompt[]; samples: number; maxTokens: number }
  | { kind: 'step' };

export interface Part {
  stage: string;
  calls: [times: number, call: Call][];
  /** Engines that are started for it. */
  engines: number;
  /** Seconds spent on making prompts while no engine is at work. */
  otherSeconds: number;
  /** What of the model it trains, or would: asking costs the same. */
  trained: Trained;
}

/** The stages of one seed: `main` and `rest` run side by side, between `before` and `after`. */
export interface Plan {
  before: Part[];
  main: Part[];
  rest: Part[];
  after: Part[];
}

/** What is known of the records: how many to evaluate on, how many to ask for the TRM's lessons. */
export interface Counts {
  tests: number;
  /** Null where no TRM is trained. */
  trm: number | null;
  /** What of it would be trained. */
  trmTrained: Trained;
}

const EVALUATED_AT_ONCE = 120;
const COLLECTED_AT_ONCE = 48;
const step: Call = { kind: 'step' };

export function planOf(recipe: Recipe, shapes: Shapes, counts: Counts): Plan {
  const { tests, trm } = counts;
  const judged = trm !== null || recipe.judge === 'oracle' || typeof recipe.judge === 'object';
  const wanted = [...new Set([recipe.variant, ...recipe.baselines])];
  const [main = 'grpo', ...baselines] = wanted.filter((variant) => judged || !asksForThinking(variant));
  const evaluation: Part = {
    stage: 'evaluate',
    calls: [[tests / EVALUATED_AT_ONCE, asking(shapes, EVALUATED_AT_ONCE, 1, recipe.eval.max_tokens)]],
    engines: 1,
    otherSeconds: tests * shapes.questionSeconds,
    trained: 'by recipe',
  };
  const learn = reinforcement(recipe, shapes);
  const heldOut = trm === null ? 0 : trm * recipe.trm.held_out;
  return {
    before: recipe.model === null ? [coldStart(recipe, shapes)] : [],
    main: [
      ...(trm === null ? [] : trmParts(recipe, shapes, trm, counts.trmTrained)),
      learn(main),
      { ...evaluation, stage: `evaluate ${main}` },
    ],
    rest: [
      { ...evaluation, stage: 'evaluate the start' },
      ...baselines.flatMap((variant) => [learn(variant), { ...evaluation, stage: `evaluate ${variant}` }]),
    ],
    after:
      trm === null
        ? []
        : [
            {
              stage: "measure the TRM on the policy's responses",
              calls: [
                [heldOut / COLLECTED_AT_ONCE, asking(shapes, COLLECTED_AT_ONCE, 1, recipe.rl.max_tokens)],
                [heldOut / shapes.judged.length, { kind: 'judge', sequences: shapes.judged }],
              ],
              engines: 2,
              otherSeconds: heldOut * (shapes.questionSeconds + shapes.judgedSeconds),
              trained: 'by recipe',
            },
          ],
  };
}

function coldStart({ cold_start: { phases } }: Recipe, { lessons }: Shapes): Part {
  const times = new Map<string, number>();
  for (const { steps, cycle } of phases)
    for (const kind of cycle) times.set(kind, (times.get(kind) ?? 0) + steps / cycle.length);
  const backward = Object.entries(lessons!).map(([kind, sequences]): [number, Call] => [
    times.get(kind) ?? 0,
    { kind: 'backward', sequences },
  ]);
  const steps = phases.reduce((sum, phase) => sum + phase.steps, 0);
  return {
    stage: 'cold start',
    calls: [...backward.filter(([often]) => often > 0), [steps, step]],
    engines: 2,
    // the next batch is made while the engine is at work on this one
    otherSeconds: 0,
    trained: 'everything',
  };
}

function trmParts({ trm, rl }: Recipe, shapes: Shapes, questions: number, trained: Trained): Part[] {
  const lessons = repeated(shapes.judged, trm.batch);
  const measured = questions * trm.samples * trm.held_out;
  return [
    {
      stage: 'collect responses for the TRM',
      calls: [[questions / COLLECTED_AT_ONCE, asking(shapes, COLLECTED_AT_ONCE, trm.samples, rl.max_tokens)]],
      engines: 1,
      otherSeconds: questions * shapes.questionSeconds,
      trained: 'by recipe',
    },
    {
      stage: 'train the TRM',
      calls: [
        [trm.steps, { kind: 'backward', sequences: lessons }],
        [trm.steps, step],
        [measured / shapes.judged.length, { kind: 'judge', sequences: shapes.judged }],
      ],
      engines: 1,
      otherSeconds: measured * shapes.judgedSeconds,
      trained,
    },
  ];
}

function reinforcement(recipe: Recipe, shapes: Shapes): (variant: VariantName) => Part {
  const { prompts, samples, max_tokens, steps, updates, kl_beta } = recipe.rl;
  const group = (sequences: Sequence[]) =>
    repeated(sequences, prompts).flatMap((sequence) => Array<Sequence>(samples).fill(sequence));
  const sampling = asking(shapes, prompts, samples, max_tokens);
  const update: Call = { kind: 'backward', sequences: group(shapes.responses) };
  const scoring: Call = { kind: 'logprobs', sequences: update.sequences };
  const judging: Call = { kind: 'judge', sequences: group(shapes.judged) };
  const { judge, trm } = recipe;
  const asksModel = typeof judge === 'object' ? !('url' in judge) : judge === 'trm';
  const { refresh } = trm;
  // log p under the policy before each update that needs it, under the reference and under the policy that sampled
  const scored = (kl_beta > 0 || updates > 1 ? updates : 0) + Number(kl_beta > 0) + Number(updates > 1);
  return (variant) => {
    const judges = asksModel && asksForThinking(variant);
    return {
      stage: `train ${variant}`,
      calls: [
        [steps, sampling],
        [steps * updates, update],
        [steps * updates, step],
        ...(scored > 0 ? [[steps * scored, scoring] as [number, Call]] : []),
        ...(judges ? [[steps, judging] as [number, Call]] : []),
        ...(judges && refresh ? refreshing(recipe, refresh, shapes) : []),
      ],
      engines: judges ? 2 : 1,
      otherSeconds:
        steps * prompts * (shapes.questionSeconds + (judges ? samples * shapes.judgedSeconds : 0)),
      trained: 'by recipe',
    };
  };
}

/** What a TRM that is refreshed learns and is measured on. */
function refreshing(
  { rl: { steps, prompts, samples }, trm: { held_out } }: Recipe,
  { every, batch, ...refresh }: NonNullable<Recipe['trm']['refresh']>,
  shapes: Shapes,
): [times: number, call: Call][] {
  const times = Math.floor(steps / every);
  const measured = every * prompts * samples * held_out;
  return [
    [times * refresh.steps, { kind: 'backward', sequences: repeated(shapes.judged, batch) }],
    [times * refresh.steps, step],
    [(times * measured) / shapes.judged.length, { kind: 'judge', sequences: shapes.judged }],
  ];
}

function asking({ questions }: Shapes, prompts: number, samples: number, maxTokens: number): Call {
  return { kind: 'sample', prompts: repeated(questions, prompts), samples, maxTokens };
}

function repeated<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => items[i % items.length]);
}
