/** How a question is put: by itself, or between the words of a template. */
import type { ShownPart } from './asker.ts';

/** The response format that the paper trains (arXiv 2505.17018, section 3.3), asked for behind the question. */
const THINK =
  'First think it through step by step, between <think> and </think>. Then give the final answer alone, between <answer> and </answer>.';

export const formats = { plain: '{problem}', think: `{problem}\n{options}\n${THINK}` } as const;
export type Format = keyof typeof formats;

/**
 * A benchmark's question in place of `{problem}`. Its options are among its own words, so `{options}` is nothing, and a line
 * that holds nothing else goes away.
 */
export function wrapped(parts: readonly ShownPart[], template: string): ShownPart[] {
  const words = template.replace(/\n?^[ \t]*\{options\}[ \t]*$/gm, '').replaceAll('{options}', '');
  const at = words.indexOf('{problem}');
  const shown: ShownPart[] = [];
  const add = (part: ShownPart) => {
    const last = shown.at(-1);
    if ('text' in part && part.text === '') return;
    if ('text' in part && last !== undefined && 'text' in last)
      shown[shown.length - 1] = { text: last.text + part.text };
    else shown.push(part);
  };
  add({ text: words.slice(0, at) });
  for (const part of parts) add(part);
  add({ text: words.slice(at + '{problem}'.length) });
  return shown;
}
