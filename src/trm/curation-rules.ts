/**
 * Which annotated responses a TRM should not learn from (paper, section 3.2: rule-based filtering; which rules it does
 * not say, these are ours). Each looks at one row alone and can be switched off by its name.
 */
import { InputError } from '../errors.ts';
import { parseResponse } from '../rewards/format.ts';
import { dominantScript, scriptsOf } from './language.ts';
import { firstTimes } from './question.ts';
import type { Annotated, Row } from './rows.ts';

export interface RuleSettings {
  /** Fewest words of a think part. */
  min_thinking: number;
  /** A text loops where some run of so many words … */
  loop_words: number;
  /** … stands in it more often than this. */
  loop_times: number;
  /** Largest share of a think part's words in scripts that are neither its own nor the question's. */
  max_foreign: number;
  /** How far a score may be above the outcome, and how far below. */
  max_over: number;
  max_under: number;
  /** Rules that are switched off. */
  without: readonly RuleName[];
}

export const RULE_DEFAULTS: RuleSettings = {
  min_thinking: 3,
  loop_words: 10,
  loop_times: 4,
  max_foreign: 0.3,
  max_over: 0.9,
  max_under: 1,
  without: [],
};

type Rejects = (row: Row<Annotated>, settings: RuleSettings) => boolean;

/** In order: a row is counted under the first that rejects it. Before them all stands `duplicate`. */
const RULES = {
  truncated: ({ facts }) => facts.finish === 'length',
  broken_format: ({ facts }) => facts.finish === 'stop' && !facts.format_ok,
  unscored: ({ facts }) => facts.score === null,
  empty_thinking: ({ facts }, { min_thinking }) => wordsOf(thinking(facts)).length < min_thinking,
  loops: ({ facts }, settings) => loops(facts.response, settings),
  language: ({ record, facts }, { max_foreign }) =>
    strays(`${record.problem}\n${record.options.join('\n')}`, thinking(facts), max_foreign),
  inconsistent: ({ facts: { score, outcome } }, { max_over, max_under }) =>
    score !== null && (score - outcome > max_over || outcome - score > max_under),
} satisfies Record<string, Rejects>;
export type RuleName = 'duplicate' | keyof typeof RULES;

export const RULE_NAMES = ['duplicate', ...Object.keys(RULES)] as RuleName[];

/** Rows without a score belong to no interval, so this one cannot be switched off. */
const ALWAYS: RuleName = 'unscored';

/** Throws InputError `NAMED RULE: …` for rules there are not, or that cannot be switched off. */
export function checkRules(without: readonly RuleName[], named: string): void {
  for (const name of without) {
    if (!RULE_NAMES.includes(name))
      throw new InputError(`${named} ${name}: no such rule; there are ${RULE_NAMES.join(', ')}`);
    if (name === ALWAYS) throw new InputError(`${named} ${name}: a row without a score is in no interval`);
  }
}

/** A function that names the first rule which rejects a row, or null; it remembers what it was asked of, for duplicates. */
export function curationRules(settings: RuleSettings): (row: Row<Annotated>) => RuleName | null {
  const isNew = firstTimes();
  const rules: Record<RuleName, Rejects> = {
    duplicate: ({ record, facts }) => !isNew(record, facts.response),
    ...RULES,
  };
  const on = RULE_NAMES.filter((name) => !settings.without.includes(name));
  return (row) => on.find((name) => rules[name](row, settings)) ?? null;
}

/** The think part; of a broken format the whole response. */
function thinking({ response }: Annotated): string {
  return parseResponse(response)?.think ?? response;
}

/** Words as white space separates them, where it does; elsewhere characters. A very long word is several. */
function wordsOf(text: string): string[] {
  return text.match(WORD) ?? [];
}
const UNSPACED = '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}';
const WORD = new RegExp(`[${UNSPACED}]|[^\\s${UNSPACED}]{1,16}`, 'gu');

/** Whether some run of `loop_words` words stands in a text more than `loop_times` times; runs may overlap. */
export function loops(
  text: string,
  { loop_words, loop_times }: Pick<RuleSettings, 'loop_words' | 'loop_times'>,
): boolean {
  const words = wordsOf(text);
  const times = new Map<string, number>();
  for (let at = 0; at + loop_words <= words.length; at++) {
    const run = words.slice(at, at + loop_words).join(' ');
    const count = (times.get(run) ?? 0) + 1;
    if (count > loop_times) return true;
    times.set(run, count);
  }
  return false;
}

/** Fewer words of a script than this say nothing of a text's language; questions are short. */
const FEW_WORDS = 5;
const FEW_ASKED = 3;

/** Whether a text is mostly in another script than the question, or mixes in more than a share of yet others. */
function strays(question: string, text: string, maxForeign: number): boolean {
  const asked = scriptsOf(question);
  const scripts = scriptsOf(text);
  const own = dominantScript(scripts, FEW_WORDS);
  if (own === null) return false;
  const wanted = dominantScript(asked, FEW_ASKED);
  if (wanted !== null && own !== wanted) return true;
  const counts = Object.entries(scripts);
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  const foreign = counts
    .filter(([name]) => name !== own && !(name in asked))
    .reduce((sum, [, count]) => sum + count, 0);
  return foreign >= FEW_WORDS && foreign / all > maxForeign;
}
