/**
 * Where the sentences of a text begin, in English and Chinese, by rules that cut too seldom rather than too often: a
 * step that holds two sentences can still be judged, half a number cannot. (Intl.Segmenter depends on the runtime's
 * version and cuts after abbreviations.)
 */

/** After these a full stop ends no sentence. */
const ABBREVIATIONS = new Set('e.g i.e cf vs etc approx resp dr mr mrs ms prof st'.split(' '));
/** After these it ends none where a number follows. */
const BEFORE_NUMBERS = new Set('fig figs eq eqs no nos p pp sec ch vol tab'.split(' '));

/** An end mark with the quotes and brackets that close after it; a Latin one needs white space then. */
const END = /[。！？；]+[”’」』）】》]*|[.!?…]+["'”’)\]]*(?=\s)/gu;

/** Offsets of the sentences' first characters, ascending, 0 among them. */
export function sentenceStarts(text: string): number[] {
  const starts = [0];
  for (const { index, 0: mark } of text.matchAll(END)) {
    const after = index + mark.length;
    const next = after + /^\s*/u.exec(text.slice(after))![0].length;
    if (next === text.length) break;
    const before = text.slice(starts[starts.length - 1], index);
    const latin = /^[.!?…]/u.test(mark);
    if (!(latin && isNoEnd(before, mark, text.slice(next)))) starts.push(next);
  }
  return starts;
}

/** Whether a mark between these ends nothing: `3! ways`, abbreviations, `U.S.`, the number of a list's item. */
function isNoEnd(sentence: string, mark: string, next: string): boolean {
  if (/^\p{Ll}/u.test(next)) return true;
  if (mark[0] !== '.') return false;
  if (/^[\s#*(]*(?:step\s+)?(?:\d{1,3}|\p{L})$/iu.test(sentence)) return true;
  const word = /[^\s("“‘[]*$/u.exec(sentence)![0].toLowerCase();
  if (/^(?:\p{L}\.)+\p{L}$/u.test(word) || ABBREVIATIONS.has(word)) return true;
  return BEFORE_NUMBERS.has(word) && /^\d/.test(next);
}
