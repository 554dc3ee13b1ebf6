/**
 * What a run shows, in sentences computed from its figures: every claim follows the sign and the size of a difference,
 * whichever way it points. Nothing here knows how the experiment is expected to end.
 */
import type { RlMetrics } from '../../data/run-folder.ts';
import { figure, isStart, type Measure, type ResultRow, type Split, variantName } from '../results.ts';
import { fixed, summarise } from '../stats.ts';

/** A difference between two variants, paired by seed. */
export interface Difference {
  /** main − base, mean over the seeds both have. */
  mean: number;
  sd: number | null;
  seeds: number;
  /** Seeds whose difference has the sign of the mean. */
  agreeing: number;
  /** Two standard errors of one seed's difference from the finite number of questions; null for means of scores. */
  chance: number | null;
}

/** Null where no seed has the figure under both. */
export function difference(
  main: ResultRow,
  base: ResultRow,
  split: Split,
  key: Measure['key'],
): Difference | null {
  const pairs = main.seeds.flatMap((a) => {
    const b = base.seeds.find((seed) => seed.seed === a.seed);
    const x = a[split]?.[key];
    const y = b?.[split]?.[key];
    return typeof x === 'number' && typeof y === 'number' ? [{ x, y, a: a[split], b: b?.[split] }] : [];
  });
  const over = summarise(pairs.map(({ x, y }) => x - y));
  if (!over) return null;
  const [{ x, y, a, b }] = pairs;
  const answers = (scores: typeof a) =>
    scores ? scores.n * (key === 'flawed_right' ? scores.accuracy : 1) : 0;
  const variance = (p: number, n: number) => (n > 0 ? (p * (1 - p)) / n : 0);
  const chance =
    key === 'quality' ? null : 2 * Math.sqrt(variance(x, answers(a)) + variance(y, answers(b ?? null)));
  const agreeing = pairs.filter((pair) => Math.sign(pair.x - pair.y) === Math.sign(over.mean)).length;
  return { mean: over.mean, sd: over.sd, seeds: over.n, agreeing, chance };
}

/**
 * Whether a difference is more than chance could easily give. Several seeds: all have its sign, and the paired 95 %
 * interval excludes 0. One seed: it is beyond two standard errors; where those are not known, it is never clear.
 */
export function clear(diff: Difference): boolean {
  if (diff.mean === 0) return false;
  if (diff.sd === null) return diff.chance !== null && Math.abs(diff.mean) > diff.chance;
  const half = (studentT(diff.seeds - 1) * diff.sd) / Math.sqrt(diff.seeds);
  return diff.agreeing === diff.seeds && Math.abs(diff.mean) > half;
}

/** Student's t, its 97.5 % quantile for 1 to 9 degrees of freedom. */
const STUDENT_T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** Beyond the table by the expansion in 1/df around the normal quantile (Abramowitz & Stegun 26.7.5), good to 0.005. */
function studentT(df: number): number {
  return STUDENT_T[df - 1] ?? 1.96 + 2.372 / df + 2.823 / df ** 2;
}

/** What sounder reasoning should show, with words for either outcome. */
const SIGNS: readonly {
  split: Split;
  key: Measure['key'];
  better: 1 | -1;
  name: string;
  up: string;
  down: string;
}[] = [
  {
    split: 'ood',
    key: 'accuracy',
    better: 1,
    name: 'accuracy out of distribution',
    up: 'higher accuracy out of distribution',
    down: 'lower accuracy out of distribution',
  },
  {
    split: 'ood',
    key: 'reliability_conditioned_accuracy',
    better: 1,
    name: 'the share of answers right and soundly reasoned there',
    up: 'more answers right and soundly reasoned there',
    down: 'fewer answers right and soundly reasoned there',
  },
  {
    split: 'id',
    key: 'flawed_right',
    better: -1,
    name: 'the share of right answers from flawed reasoning',
    up: 'more right answers from flawed reasoning',
    down: 'fewer right answers from flawed reasoning',
  },
];

/** A statement about one figure: what it is about, and what it says. */
export interface Finding {
  about: string;
  says: string;
}

export interface Findings {
  /** One sentence: did the thinking reward do here what it is for? Null where there is nothing to compare. */
  verdict: string | null;
  findings: Finding[];
}

const LEVELS: readonly { about: string; split: Split; key: Measure['key'] }[] = [
  { about: 'Accuracy out of distribution', split: 'ood', key: 'accuracy' },
  {
    about: 'Answers right and soundly reasoned, out of distribution',
    split: 'ood',
    key: 'reliability_conditioned_accuracy',
  },
  {
    about: 'Share of right answers that came from flawed reasoning, in distribution',
    split: 'id',
    key: 'flawed_right',
  },
  { about: 'Accuracy in distribution', split: 'id', key: 'accuracy' },
];

/** The variant with a thinking reward (trust-grpo if it is there) is compared with outcome-only `grpo`, both with the cold start. */
export function findings(rows: readonly ResultRow[]): Findings {
  const cold = rows.find((row) => isStart(row.variant));
  const base = rows.find((row) => row.variant === 'grpo');
  const trained = rows.filter((row) => row !== cold && row !== base);
  const main = trained.find((row) => row.variant === 'trust-grpo') ?? trained[trained.length - 1];
  const found = LEVELS.flatMap(({ about, split, key }): Finding[] => {
    const figures = levels([cold, base, main], split, key);
    if (!figures) return [];
    const sentences = [
      figures,
      main && base && compared(main, base, split, key),
      cold && againstStart(cold, [base, main], split, key),
    ];
    return [{ about, says: sentences.filter((sentence) => sentence).join(' ') }];
  });
  return { verdict: main && base ? verdict(main, base) : null, findings: [...found, caution(rows)] };
}

function verdict(main: ResultRow, base: ResultRow): string | null {
  const signs = SIGNS.flatMap((sign) => {
    const diff = difference(main, base, sign.split, sign.key);
    return diff ? [{ sign, diff, known: clear(diff), good: Math.sign(diff.mean) === sign.better }] : [];
  });
  if (signs.length === 0) return null;
  const [one, other] = [variantName(main.variant), variantName(base.variant)];
  const say = (list: typeof signs) =>
    joined(list.map(({ sign, diff }) => (diff.mean > 0 ? sign.up : sign.down)));
  const better = signs.filter((each) => each.known && each.good);
  const worse = signs.filter((each) => each.known && !each.good);
  const unclear = signs.filter((each) => !each.known);
  const same = joined(unclear.map(({ sign }) => sign.name));
  if (unclear.length === signs.length)
    return `In this run ${one} and ${other} cannot be told apart by ${same}: the differences are no larger than chance could give.`;
  const rest = unclear.length > 0 ? `; by ${same} they cannot be told apart` : '';
  if (worse.length === 0) return `In this run ${one} ended with ${say(better)} than ${other}${rest}.`;
  if (better.length === 0)
    return `In this run ${one} did not help: it ended with ${say(worse)} than ${other}${rest}.`;
  return `In this run the picture is mixed: ${one} ended with ${say(better)} than ${other}, but with ${say(worse)}${rest}.`;
}

function levels(rows: readonly (ResultRow | undefined)[], split: Split, key: Measure['key']): string | null {
  const there = rows.flatMap((row) => {
    const value = row && figure(row, split, key);
    if (!value) return [];
    return [
      `${fixed(value.mean, 2)} ${isStart(row.variant) ? `at the ${variantName(row.variant).toLowerCase()}` : `under ${variantName(row.variant)}`}`,
    ];
  });
  return there.length > 0 ? `${joined(there)}.` : null;
}

function compared(main: ResultRow, base: ResultRow, split: Split, key: Measure['key']): string | null {
  const diff = difference(main, base, split, key);
  if (!diff) return null;
  const [one, other] = [variantName(main.variant), variantName(base.variant)];
  const size = fixed(Math.abs(diff.mean), 2);
  if (Number(size) === 0) return `${one} and ${other} do not differ.`;
  const spread = diff.sd === null ? '' : ` ± ${fixed(diff.sd, 2)}`;
  return `${one} is ${size}${spread} ${diff.mean > 0 ? 'above' : 'below'} ${other}${doubt(diff)}.`;
}

function doubt(diff: Difference): string {
  if (diff.seeds > 1) {
    if (diff.agreeing < diff.seeds) return `, but so in only ${diff.agreeing} of ${diff.seeds} seeds`;
    const same = `the same way in all ${diff.seeds} seeds`;
    return clear(diff) ? `, ${same}` : `, ${same}, but this cannot be told from chance`;
  }
  if (clear(diff)) return '';
  if (diff.chance === null) return ', which one seed cannot tell from chance';
  return `, no more than the ${fixed(diff.chance, 2)} that chance could give with this many questions`;
}

function againstStart(
  cold: ResultRow,
  rows: readonly (ResultRow | undefined)[],
  split: Split,
  key: Measure['key'],
): string | null {
  const said = rows.flatMap((row) => {
    const diff = row && difference(row, cold, split, key);
    if (!diff) return [];
    const name = variantName(row.variant);
    if (!clear(diff)) return [`${name} made no clear difference (${signed(diff.mean)})`];
    return [`${name} ${diff.mean > 0 ? 'raised' : 'lowered'} it by ${fixed(Math.abs(diff.mean), 2)}`];
  });
  return said.length > 0 ? `Against the ${variantName(cold.variant).toLowerCase()}, ${joined(said)}.` : null;
}

function caution(rows: readonly ResultRow[]): Finding {
  const seeds = new Set(rows.flatMap((row) => row.seeds.map((seed) => seed.seed))).size;
  return seeds > 1
    ? {
        about: `${seeds} seeds`,
        says: 'Each is a whole pipeline of its own. A difference is called clear where it has the same sign in every seed and its 95 % interval over the seeds (paired, Student’s t) excludes 0.',
      }
    : {
        about: 'One seed',
        says: 'This says what happened here, not how often it happens. A difference is called clear where it is larger than two standard errors from the number of questions.',
      };
}

/** What the training metrics say about trust and style, per variant. */
export function trainingFindings(runs: readonly { variant: string; metrics: RlMetrics[] }[]): string[] {
  const variants = [...new Set(runs.map((run) => run.variant))];
  const all = (variant: string) =>
    runs.filter((run) => run.variant === variant).flatMap((run) => run.metrics);
  const tied = variants.flatMap((variant) => {
    const mean = summarise(all(variant).map((m) => m.tied))?.mean;
    return mean === undefined ? [] : [`${percent(mean)} under ${variantName(variant)}`];
  });
  const gamma = variants.flatMap((variant) => {
    const mean = summarise(all(variant).map((m) => m.gamma));
    const below = summarise(all(variant).map((m) => m.gamma_below_1));
    if (!mean || !below) return [];
    return [
      `Under ${variantName(variant)} γ averaged ${fixed(mean.mean, 2)} over the groups with both right and wrong answers and was below 1 in ${percent(below.mean)} of them.`,
    ];
  });
  const sentences = [
    ...styleChange(runs, variants),
    ...gamma,
    tied.length > 0 &&
      `Groups were tied (all answers right, or all wrong) in ${joined(tied)}; there γ is 1 by definition, and the answers give the advantage little or nothing to go by.`,
  ];
  return sentences.filter((sentence) => sentence !== false);
}

function styleChange(
  runs: readonly { variant: string; metrics: RlMetrics[] }[],
  variants: readonly string[],
): string[] {
  const ends = (variant: string, style: string) => {
    const own = runs.filter((run) => run.variant === variant);
    const share = (part: (metrics: RlMetrics[]) => RlMetrics[]) =>
      summarise(
        own.flatMap((run) => part(run.metrics).map((m) => m.styles?.[style] ?? (m.styles ? 0 : null))),
      )?.mean;
    const [first, last] = [share((m) => m.slice(0, 5)), share((m) => m.slice(-5))];
    return first === undefined || last === undefined ? null : { variant, style, first, last };
  };
  const styles = [...new Set(runs.flatMap((run) => run.metrics.flatMap((m) => Object.keys(m.styles ?? {}))))];
  return variants.flatMap((variant) => {
    const changes = styles.flatMap((style) => ends(variant, style) ?? []);
    changes.sort((a, b) => b.last - b.first - (a.last - a.first));
    const most = changes[0];
    if (!most || most.last - most.first < 0.01) return [];
    return [
      `Under ${variantName(variant)} the style that grew most was “${most.style}”: from ${percent(most.first)} of the responses in the first five steps to ${percent(most.last)} in the last five.`,
    ];
  });
}

const percent = (share: number) => `${fixed(100 * share, 0)} %`;
const signed = (value: number) => (value > 0 ? `+${fixed(value, 2)}` : fixed(value, 2));

export function joined(parts: readonly string[]): string {
  if (parts.length <= 1) return parts.join('');
  return `${parts.slice(0, -1).join(', ')} and ${parts[parts.length - 1]}`;
}
