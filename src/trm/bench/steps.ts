/** The steps of a reasoning in any language that ends sentences: one a line or a sentence. */

export interface TextStep {
  text: string;
  /** White space that follows it. */
  gap: string;
}

// `1.` at the beginning of a line numbers a step and ends none.
const END = /(?<!(?:^|\n)[ \t]*\d{1,3})[.!?]+(?=\s|$)\s*|[。！？]+\s*|\s*\n\s*/g;

/** Put together again, the steps are the text without white space at its ends. */
export function textSteps(text: string): TextStep[] {
  const body = text.trim();
  const steps: TextStep[] = [];
  let from = 0;
  const add = (end: number) => {
    const whole = body.slice(from, end);
    const said = whole.trimEnd();
    if (said !== '') steps.push({ text: said, gap: whole.slice(said.length) });
    from = end;
  };
  for (const { index, 0: ending } of body.matchAll(END)) add(index + ending.length);
  add(body.length);
  return steps;
}

/** Steps as text; where the last one was not the last before, it is followed by what parts the others. */
export function stepsText(steps: readonly TextStep[]): string {
  const usual = steps.find(({ gap }) => gap !== '')?.gap ?? ' ';
  return steps
    .map(({ text, gap }) => text + (gap === '' && !/[。！？]$/.test(text) ? usual : gap))
    .join('')
    .trim();
}
