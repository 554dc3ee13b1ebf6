/**
 * The expected score of a reply, from the log-probabilities that a server gives of its tokens and of the likeliest
 * tokens in their place:
 *
 *     score = Σ p(s)·s / Σ p(s)
 *
 * over the score as it was written and those that an alternative spells. Tokenizers write `0.8` as one token or as `0`, `.`, `8`:
 * the tokens of the written score are walked along, an alternative counts where it completes another score after what has
 * been written so far, and what would come after any other alternative is not known. Nor is it for `0` where scores are spelt
 * digit by digit: it may be the beginning of all but one of them, so it counts only where whole decimals are tokens.
 */
import type { TokenLogprobs } from '../data/servers/chat-reply.ts';
import { parseScore } from './parse-score.ts';

/** Below this share of the probability, what was found says little of what the judge thinks. */
const MIN_MASS = 0.5;

/**
 * `text` is a reply that parses as the score `written`; the score stands at its end. `tokens` are those of the whole reply.
 * Null where tokens and text do not agree, or too little of the probability is found.
 */
export function expectedReading(
  text: string,
  written: number,
  tokens: readonly TokenLogprobs[],
): number | null {
  const spelt = tokens.map(({ token }) => token).join('');
  const at = spelt.lastIndexOf(text.trim());
  const body = /([\d.]+)\s*(?:<\/answer>)?$/.exec(text.trim());
  if (at < 0 || body === null) return null;
  const start = at + body.index;
  const stop = start + body[1].length;

  let [path, sum, mass, from] = [1, 0, 0, 0];
  for (const { token, logprob, top_logprobs: alternatives } of tokens) {
    const to = from + token.length;
    if (to > start && from < stop) {
      const before = spelt.slice(start, from);
      const lead = spelt.slice(from, Math.max(from, start));
      const wholeDecimals = before === '' && to >= stop && body[1].includes('.');
      for (const other of alternatives) {
        if (other.token === token) continue;
        const score = completed(before, lead, other.token, wholeDecimals);
        if (score === null) continue;
        const p = path * probability(other.logprob);
        sum += p * score;
        mass += p;
      }
      path *= probability(logprob);
    }
    from = to;
  }
  sum += path * written;
  mass += path;
  return mass >= MIN_MASS ? sum / mass : null;
}

const probability = (logprob: number) => Math.exp(Math.min(0, logprob));

/** The score that a token completes after `before`; `lead` is what the written token holds before the score begins. */
function completed(before: string, lead: string, token: string, wholeDecimals: boolean): number | null {
  const rest = lead.trim() === '' && before === '' ? token.trimStart() : cutStart(token, lead);
  const [, body] = /^([\d.]+)\s*(?:<.*)?$/s.exec(`${before}${rest}`) ?? [];
  if (rest === null || rest === '' || body === undefined || (body === '0' && !wholeDecimals)) return null;
  return parseScore(body, { thinks: false }).score;
}

function cutStart(token: string, lead: string): string | null {
  return token.startsWith(lead) ? token.slice(lead.length) : null;
}
