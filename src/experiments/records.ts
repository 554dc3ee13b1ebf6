/** How a recipe's files of records are opened: what they may name as pictures, and what a bad row costs. */

import type { PictureAccess } from '../data/pictures/access.ts';
import { STRICT } from '../data/records/bad-rows.ts';
import type { OpenOptions } from '../data/records/reader.ts';
import type { Recipe } from './recipe.ts';

/** Of the records to train on; `say` is told what is left out. */
export function trainOptions({ data }: Recipe, say: (line: string) => void): OpenOptions {
  return { access: recordAccess({ data }), maxBad: data.max_bad, say };
}

/** Of the records to test on: scores are over all questions. */
export function testOptions({ data }: Recipe): OpenOptions {
  return { ...STRICT, access: recordAccess({ data }) };
}

function recordAccess({ data }: Pick<Recipe, 'data'>): PictureAccess {
  return { roots: data.root === null ? [] : [data.root], urls: data.urls };
}

/**
 * Of what the run itself writes about its records (trm/): their pictures were looked at when the records were opened, and
 * lie wherever the recipe's data does.
 */
export function ownAccess({ data }: Recipe): PictureAccess {
  return { roots: null, urls: data.urls };
}
