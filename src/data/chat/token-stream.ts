/**
 * Text of a response while its tokens still come: each token gives the text that can be shown now. A character whose
 * bytes are spread over several tokens is held back until it is whole.
 */
import type { Tokenizer } from './tokenizer.ts';

export interface TokenStream {
  /** The text this token completes; '' while a character is not whole. */
  push(token: number): string;
  /** What was held back and will not be completed any more. */
  end(): string;
}

const INCOMPLETE = '\uFFFD';

/** All that a stream gives, put together, is `tokenizer.decode` of all its tokens. */
export function tokenStream(tokenizer: Tokenizer): TokenStream {
  // The last tokens shown are decoded again with the new ones: what stands between two tokens depends on both.
  let shown: number[] = [];
  let held: number[] = [];
  const release = (mayBreak: boolean): string => {
    const before = tokenizer.decode(shown);
    const text = tokenizer.decode([...shown, ...held]).slice(before.length);
    if (!mayBreak && text.endsWith(INCOMPLETE)) return '';
    shown = held;
    held = [];
    return text;
  };
  return {
    push(token) {
      held.push(token);
      return release(false);
    },
    end: () => (held.length > 0 ? release(true) : ''),
  };
}
