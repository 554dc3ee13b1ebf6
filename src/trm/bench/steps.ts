/** The steps of a reasoning in any language that ends sentences: one a line or a sentence. */

export interface TextStep {
  /** White space before it; '' also where nothing was there to say. */
  gap: string;
  text: string;
}

// `1.` at the beginning of a line numbers a step and ends none.
const END = /(?<!(?:^|\n)[ \t]*\d{1,3})[.!?]+(?=\s|$)|[。！？]+|(?=\n)/g;

export function textSteps(text: string): TextStep[] {
  const body = text.trim();
  const ends = [...body.matchAll(END)].map(({ index, 0: ending }) => index + ending.length);
  return [...new Set([...ends, body.length])].flatMap((end, i, all) => {
    const whole = body.slice(i === 0 ? 0 : all[i - 1], end);
    const said = whole.trimStart();
    return said.trim() === '' ? [] : [{ gap: whole.slice(0, whole.length - said.length), text: said }];
  });
}

/** Steps as text. One that opened the text, or is new, is parted from the one before it as others are, by a new line if any is. */
export function stepsText(steps: readonly TextStep[]): string {
  const gaps = steps.map(({ gap }) => gap).filter((gap) => gap !== '');
  const usual = gaps.find((gap) => gap.includes('\n')) ?? gaps[0] ?? ' ';
  return steps
    .map(({ gap, text }, i) => {
      if (i === 0) return text;
      const joined = gap === '' && !/[。！？]$/.test(steps[i - 1].text);
      return (joined ? usual : gap) + text;
    })
    .join('');
}
