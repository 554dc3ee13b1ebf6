/**
 * Colours by role, as CSS variables (style.ts gives them values for light and dark). Orange and blue stay apart for
 * every common kind of colour blindness; no colour ever speaks alone.
 */
const VARIANTS: Record<string, string> = {
  'cold-start': 'var(--cold)',
  start: 'var(--cold)',
  grpo: 'var(--grpo)',
  'trust-grpo': 'var(--trust)',
};
const OTHERS = ['var(--other-1)', 'var(--other-2)', 'var(--other-3)', 'var(--other-4)'];

/** The colour of a variant; those without one of their own take the next free in the order given. */
export function variantColour(variant: string, all: readonly string[]): string {
  const known = VARIANTS[variant];
  if (known) return known;
  const others = all.filter((name) => !(name in VARIANTS));
  return OTHERS[Math.max(0, others.indexOf(variant)) % OTHERS.length];
}

const SERIES = [
  'var(--series-1)',
  'var(--series-2)',
  'var(--series-3)',
  'var(--series-4)',
  'var(--series-5)',
];

/** Colours for kinds and styles: anything counted in the order it appears. */
export function seriesColour(index: number): string {
  return SERIES[index % SERIES.length];
}
