/**
 * Which groups a report shows, by rules a reader can check: nothing is picked by hand. The rules look at the variant
 * with a thinking reward (the last one below: at the one without); the other variants then show the same question of
 * the same step, where they were asked it too.
 */
import type { RolloutGroup } from '../../data/run-folder.ts';
import { variantName } from '../results.ts';
import type { Example } from './input.ts';

export interface VariantRollouts {
  variant: string;
  seed: number;
  groups: RolloutGroup[];
}

interface Rule {
  moment: string;
  says: string;
  holds: (group: RolloutGroup) => boolean;
  /** Where in training to begin: 0 the first step, 1 the last one backwards. */
  from: number;
  led: 'thinking' | 'outcome';
}

const mixed = (group: RolloutGroup) => !group.tied;
const spread = (group: RolloutGroup) =>
  group.responses.some((response) => Math.abs(response.advantage) > 1e-3);
const flawedRight = (group: RolloutGroup) =>
  group.responses.some((response) => response.right && response.oracle !== null && !response.oracle.sound);

const RULES: readonly Rule[] = [
  { moment: 'early', says: 'has right and wrong answers', holds: mixed, from: 0, led: 'thinking' },
  { moment: 'middle', says: 'has right and wrong answers', holds: mixed, from: 0.5, led: 'thinking' },
  { moment: 'late', says: 'has right and wrong answers', holds: mixed, from: 1, led: 'thinking' },
  {
    moment: 'γ below 1',
    says: 'has a trust weight below 1',
    holds: (group) => group.gamma !== null && group.gamma < 1,
    from: 0.5,
    led: 'thinking',
  },
  {
    moment: 'tied',
    says: 'has answers that are all right or all wrong, and still different advantages',
    holds: (group) => group.tied && spread(group),
    from: 0.5,
    led: 'thinking',
  },
  {
    moment: 'right but flawed',
    says: 'has a right answer from flawed reasoning',
    holds: flawedRight,
    from: 0.5,
    led: 'outcome',
  },
];

/** The rules in one sentence, for the reader. */
export const RULES_SAY =
  'Groups are chosen by rule, not by hand: the first that fits from a step on, those with a picture and with a type of problem not shown yet before others.';

/** Steps around the start of the search within which a group of a new type is preferred to an earlier one. */
const NEAR = 5;

export function chooseExamples(rollouts: readonly VariantRollouts[]): Omit<Example, 'picture'>[] {
  const thinks = (each: VariantRollouts) =>
    each.groups.some((group) => group.responses.some((response) => response.thinking !== null));
  const leads = {
    thinking: rollouts.find(thinks) ?? rollouts[0],
    outcome: rollouts.find((each) => !thinks(each)) ?? rollouts[0],
  };
  const shown: RolloutGroup[] = [];
  return RULES.flatMap((rule) => {
    const lead = leads[rule.led];
    const found = lead && first(lead.groups, rule, shown);
    if (!found) return [];
    shown.push(found.group);
    const moment = `${rule.moment}, step ${found.group.step}`;
    const others = rollouts
      .filter((each) => each !== lead)
      .flatMap((other) => {
        const twin = other.groups.find((group) => same(group, found.group));
        const why = `the question of step ${found.group.step} chosen under ${variantName(lead.variant)}.`;
        return twin ? [{ moment, why, variant: other.variant, seed: other.seed, group: twin }] : [];
      });
    const chosen = {
      moment,
      why: `${found.why} that ${rule.says}.`,
      variant: lead.variant,
      seed: lead.seed,
      group: found.group,
    };
    return rollouts.flatMap((each) =>
      each === lead ? [chosen] : others.filter((other) => other.variant === each.variant),
    );
  });
}

const same = (a: RolloutGroup, b: RolloutGroup) => a.step === b.step && a.problem_id === b.problem_id;

function first(
  groups: readonly RolloutGroup[],
  rule: Rule,
  shown: readonly RolloutGroup[],
): { group: RolloutGroup; why: string } | null {
  const steps = [...new Set(groups.map((group) => group.step))].sort((a, b) => a - b);
  if (steps.length === 0) return null;
  const start = steps[Math.min(steps.length - 1, Math.floor(rule.from * steps.length))];
  const back = rule.from === 1;
  const order = (group: RolloutGroup) =>
    back ? start - group.step : group.step >= start ? group.step - start : Infinity;
  const fits = groups
    .filter(
      (group) => rule.holds(group) && order(group) !== Infinity && !shown.some((each) => same(each, group)),
    )
    .sort((a, b) => order(a) - order(b));
  const newType = (group: RolloutGroup) => shown.every((each) => each.problem_type !== group.problem_type);
  const near = fits.filter((group) => order(group) < NEAR);
  const group =
    near.find((each) => each.path !== null && newType(each)) ??
    near.find((each) => each.path !== null) ??
    fits.find((each) => each.path !== null) ??
    fits[0];
  if (!group) return null;
  return {
    group,
    why: back
      ? `a group of the last steps, counted back from step ${start},`
      : `a group from step ${start} on`,
  };
}
