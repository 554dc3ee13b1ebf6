/** What a recipe will take on this machine, before it is run. */
import type { Recipe } from './recipe.ts';

export interface Estimate {
  memory_mb: number;
  minutes: number;
  /** What the estimate rests on. */
  note: string;
}

export async function estimate(_recipe: Recipe): Promise<Estimate> {
  return { memory_mb: 0, minutes: 0, note: '' };
}
