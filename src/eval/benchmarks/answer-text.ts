/** What of a response is scored: the text inside the last `<answer>…</answer>` if there is one, else all of it. */
import { strip } from '../../rewards/whitespace.ts';
import { pyText } from './python.ts';

export interface AnswerText {
  text: string;
  /** Whether it stood inside tags: then it is the model's own word for its answer. */
  tagged: boolean;
}

export function answerText(said: string | number | null | undefined): AnswerText {
  const response = pyText(said ?? '');
  const end = response.lastIndexOf('</answer>');
  const open = end === -1 ? -1 : response.lastIndexOf('<answer>', end);
  if (open === -1) return { text: response, tagged: false };
  const start = open + '<answer>'.length;
  // with several ends after the last beginning, the first one closes it
  return { text: strip(response.slice(start, response.indexOf('</answer>', start))), tagged: true };
}
