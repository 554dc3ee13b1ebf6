/**
 * Which scripts a text is written in, counted in words. A mathematical text is of no script by itself: digits, Greek
 * letters, `\frac` and words shorter than three Latin letters (x, y, kg, so) count nowhere.
 */

/** Number of words in each script; those that do not occur are left out. */
type Scripts = Partial<Record<ScriptName, number>>;

const SCRIPTS = {
  Latin: /(?<![\\\p{L}])\p{Script=Latin}{3,}/gu,
  Cyrillic: /\p{Script=Cyrillic}{2,}/gu,
  Arabic: /\p{Script=Arabic}{2,}/gu,
  Hebrew: /\p{Script=Hebrew}{2,}/gu,
  Devanagari: /[\p{Script=Devanagari}\p{M}]{2,}/gu,
  Thai: /[\p{Script=Thai}]/gu,
  Hangul: /\p{Script=Hangul}/gu,
  Han: /\p{Script=Han}/gu,
  Kana: /[\p{Script=Hiragana}\p{Script=Katakana}]/gu,
} as const;
type ScriptName = Exclude<keyof typeof SCRIPTS, 'Kana'> | 'Japanese';

/** Characters that make a word where words are not separated (Chinese newspapers: 1.5; Japanese and Thai more). */
const CHARACTERS_A_WORD: Partial<Record<keyof typeof SCRIPTS, number>> = {
  Han: 1.5,
  Kana: 2,
  Thai: 4,
  Hangul: 2.5,
};

/** Japanese is written with Han characters too: where one in ten of both is kana, all are Japanese. */
const KANA_SHARE = 0.1;

export function scriptsOf(text: string): Scripts {
  const words = Object.fromEntries(
    Object.entries(SCRIPTS).map(([name, pattern]) => [
      name,
      (text.match(pattern)?.length ?? 0) / (CHARACTERS_A_WORD[name as keyof typeof SCRIPTS] ?? 1),
    ]),
  );
  const { Kana: kana, Han: han, ...rest } = words;
  const japanese = kana > 0 && kana / (kana + han) >= KANA_SHARE;
  const found = { ...rest, Han: japanese ? 0 : han, Japanese: japanese ? kana + han : kana };
  return Object.fromEntries(Object.entries(found).filter(([, count]) => count > 0));
}

/** The script of most words; null where there are fewer than `least` of it. */
export function dominantScript(scripts: Scripts, least: number): ScriptName | null {
  const [top] = Object.entries(scripts).sort(([, a], [, b]) => b - a);
  return top !== undefined && top[1] >= least ? (top[0] as ScriptName) : null;
}
