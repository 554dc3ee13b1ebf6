/** The steps of a reasoning as they can be left out, put elsewhere and added: lines, and sentences within them. */
import { sentenceStarts } from '../steps/sentences.ts';

export interface TextStep {
  /** White space before it; '' also where nothing was there to say. */
  gap: string;
  text: string;
}

export function textSteps(text: string): TextStep[] {
  const lines = [...text.trim().matchAll(/(\s*\n\s*|^)(.+)/g)];
  return lines.flatMap(([, gap, line]) => {
    const starts = sentenceStarts(line);
    return starts.map((start, i) => {
      const said = line.slice(start, starts[i + 1]);
      const before = line.slice(0, start);
      return { gap: i === 0 ? gap : before.slice(before.trimEnd().length), text: said.trimEnd() };
    });
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
