/**
 * Yes or no in a response. `anywhere`: one of the words stands in it and the other does not (VLMEvalKit: YOrN_Extraction of
 * vlmeval/dataset/utils/yorn.py, process_punctuation of vlmeval/smp/misc.py, commit e8e78f05). `atTheHead`: among its first
 * four letters (MME's own calculation.py).
 */
import { words } from '../../rewards/whitespace.ts';

export type YesNo = 'Yes' | 'No';

/** Null: both words, or neither. */
export function anywhere(response: string): YesNo | null {
  const spoken = words(withoutPunctuation(response.toLowerCase()));
  const yes = spoken.includes('yes');
  return yes === spoken.includes('no') ? null : yes ? 'Yes' : 'No';
}

export function atTheHead(response: string): YesNo | null {
  const head = [...response.toLowerCase()].slice(0, 4).join('');
  return head.includes('yes') ? 'Yes' : head.includes('no') ? 'No' : null;
}

const marks = [...';/[]"{}()=+\\_-><@`,?!'];
const numberComma = /\p{Nd},\p{Nd}/u;
const lonePeriod = /(?<!\p{Nd})\.(?!\p{Nd})/gu;
/** The original passes re.UNICODE, which is 32, where re.sub takes how many it may replace. */
const periods = 32;

/** A mark goes where it stands beside a blank somewhere, or where a number holds a comma; else it becomes a blank. */
function withoutPunctuation(original: string): string {
  const bare = numberComma.test(original);
  let text = original;
  for (const mark of marks) {
    const goes = bare || original.includes(`${mark} `) || original.includes(` ${mark}`);
    text = text.replaceAll(mark, goes ? '' : ' ');
  }
  let left = periods;
  return text.replace(lonePeriod, (period) => (left-- > 0 ? '' : period));
}
