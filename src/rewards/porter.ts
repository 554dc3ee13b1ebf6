/**
 * The Porter stemmer in NLTK's dialect (nltk.stem.porter, mode NLTK_EXTENSIONS), which rouge_score uses. It
 * departs from Porter's own frozen version ('enjoy' keeps its y, 'dies' → 'die', 'skies' → 'sky'), so npm's
 * stemmers, which follow that, give other stems. Linear in the word's length.
 * Sources: Porter, "An algorithm for suffix stripping", Program 14 (1980); NLTK 3.
 */

/** Stem of a lower-case word. */
export function porterStem(word: string): string {
  const irregular = irregulars.get(word);
  if (irregular !== undefined) return irregular;
  if (word.length <= 2) return word;
  return steps.reduce((stem, step) => step(stem), word);
}

const irregulars = new Map([
  ['sky', 'sky'],
  ['skies', 'sky'],
  ['dying', 'die'],
  ['lying', 'lie'],
  ['tying', 'tie'],
  ['news', 'news'],
  ['innings', 'inning'],
  ['inning', 'inning'],
  ['outings', 'outing'],
  ['outing', 'outing'],
  ['cannings', 'canning'],
  ['canning', 'canning'],
  ['howe', 'howe'],
  ['proceed', 'proceed'],
  ['exceed', 'exceed'],
  ['succeed', 'succeed'],
]);

/** Suffix, replacement, and the condition on what stands before the suffix. */
type Rule = [suffix: string, replacement: string, condition?: (stem: string) => boolean];

/** The first rule whose suffix fits decides, whether its condition holds or not. */
function apply(word: string, rules: Rule[]): string {
  for (const [suffix, replacement, condition] of rules) {
    if (!word.endsWith(suffix)) continue;
    const stem = before(word, suffix);
    return condition === undefined || condition(stem) ? stem + replacement : word;
  }
  return word;
}

const before = (word: string, suffix: string) => word.slice(0, word.length - suffix.length);

/** 'c' or 'v' for each letter; y is a vowel after a consonant. */
function pattern(word: string): string {
  const kinds: string[] = [];
  for (const letter of word) {
    const vowel = letter === 'y' ? kinds.at(-1) === 'c' : 'aeiou'.includes(letter);
    kinds.push(vowel ? 'v' : 'c');
  }
  return kinds.join('');
}

/** Porter's m: how many times a consonant follows a vowel. */
const measure = (stem: string) => pattern(stem).split('vc').length - 1;
const positive = (stem: string) => measure(stem) > 0;
const overOne = (stem: string) => measure(stem) > 1;

function endsDoubleConsonant(word: string): boolean {
  return word.length >= 2 && word.at(-1) === word.at(-2) && pattern(word).endsWith('c');
}

/** Consonant, vowel, consonant other than w, x, y; or, in NLTK, a word of vowel and consonant. */
function endsCvc(word: string): boolean {
  const kinds = pattern(word);
  return (kinds.endsWith('cvc') && !/[wxy]$/.test(word)) || kinds === 'vc';
}

const plurals: Rule[] = [
  ['sses', 'ss'],
  ['ies', 'i'],
  ['ss', 'ss'],
  ['s', ''],
];

function step1a(word: string): string {
  return word.length === 4 && word.endsWith('ies') ? word.slice(0, 3) : apply(word, plurals);
}

function step1b(word: string): string {
  if (word.endsWith('ied')) return before(word, word.length === 4 ? 'd' : 'ed');
  if (word.endsWith('eed')) return apply(word, [['eed', 'ee', positive]]);
  const suffix = ['ed', 'ing'].find(
    (ending) => word.endsWith(ending) && pattern(before(word, ending)).includes('v'),
  );
  if (suffix === undefined) return word;
  const stem = before(word, suffix);
  if (/(?:at|bl|iz)$/.test(stem)) return `${stem}e`;
  if (endsDoubleConsonant(stem)) return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1);
  return measure(stem) === 1 && endsCvc(stem) ? `${stem}e` : stem;
}

function step1c(word: string): string {
  return apply(word, [['y', 'i', (stem) => stem.length > 1 && pattern(stem).endsWith('c')]]);
}

const doubleSuffixes: Rule[] = [
  ['ational', 'ate', positive],
  ['tional', 'tion', positive],
  ['enci', 'ence', positive],
  ['anci', 'ance', positive],
  ['izer', 'ize', positive],
  ['bli', 'ble', positive],
  ['alli', 'al', positive],
  ['entli', 'ent', positive],
  ['eli', 'e', positive],
  ['ousli', 'ous', positive],
  ['ization', 'ize', positive],
  ['ation', 'ate', positive],
  ['ator', 'ate', positive],
  ['alism', 'al', positive],
  ['iveness', 'ive', positive],
  ['fulness', 'ful', positive],
  ['ousness', 'ous', positive],
  ['aliti', 'al', positive],
  ['iviti', 'ive', positive],
  ['biliti', 'ble', positive],
  ['fulli', 'ful', positive],
  // The l counts with the stem, so that 'geology' is treated as 'archaeology' is.
  ['logi', 'log', (stem) => positive(`${stem}l`)],
];

function step2(word: string): string {
  if (word.endsWith('alli') && positive(before(word, 'alli'))) return step2(before(word, 'li'));
  return apply(word, doubleSuffixes);
}

const thirdSuffixes: Rule[] = [
  ['icate', 'ic', positive],
  ['ative', '', positive],
  ['alize', 'al', positive],
  ['iciti', 'ic', positive],
  ['ical', 'ic', positive],
  ['ful', '', positive],
  ['ness', '', positive],
];

const lastSuffixes: Rule[] = [
  ...'al ance ence er ic able ible ant ement ment ent'
    .split(' ')
    .map((suffix): Rule => [suffix, '', overOne]),
  ['ion', '', (stem) => overOne(stem) && /[st]$/.test(stem)],
  ...'ou ism ate iti ous ive ize'.split(' ').map((suffix): Rule => [suffix, '', overOne]),
];

function step5a(word: string): string {
  return apply(word, [['e', '', (stem) => overOne(stem) || (positive(stem) && !endsCvc(stem))]]);
}

function step5b(word: string): string {
  return apply(word, [['ll', 'l', (stem) => overOne(`${stem}l`)]]);
}

const steps = [
  step1a,
  step1b,
  step1c,
  step2,
  (word: string) => apply(word, thirdSuffixes),
  (word: string) => apply(word, lastSuffixes),
  step5a,
  step5b,
];
