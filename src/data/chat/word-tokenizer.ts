/**
 * A word-level tokenizer made from a list of words, as the files transformers loads (PreTrainedTokenizerFast). Words are
 * split at white space, marker tokens also inside words; decoding joins everything with single spaces. A word it does
 * not know becomes `<|unk|>`.
 */

export interface TokenizerFiles {
  /** tokenizer.json */
  tokenizerJson: object;
  /** tokenizer_config.json */
  tokenizerConfig: object;
  /** special_tokens_map.json */
  specialTokensMap: object;
}

const padToken = '<|endoftext|>';
const endOfTurnToken = '<|im_end|>';
const unknownToken = '<|unk|>';

/**
 * Ids: the words in order, then the markers, then those of pad, end of turn and unknown that were not among the
 * markers. Markers of the form `<|…|>` are special (decoding may skip them); others, such as `<think>`, always decode.
 * Throws RangeError for a word that is empty, has white space in it or comes twice.
 */
export function wordLevelTokenizer(
  vocabulary: readonly string[],
  specials: readonly string[],
): TokenizerFiles {
  const needed = [padToken, endOfTurnToken, unknownToken].filter((token) => !specials.includes(token));
  const markers = [...specials, ...needed];
  const words = [...vocabulary, ...markers];
  for (const word of words)
    if (!/^\S+$/u.test(word)) throw new RangeError(`not a word: ${JSON.stringify(word)}`);
  if (new Set(words).size !== words.length) throw new RangeError('a word comes twice in the vocabulary');

  const added = markers.map((content, index) => ({
    id: vocabulary.length + index,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: /^<\|.*\|>$/.test(content),
  }));
  const specialTokensMap = { eos_token: endOfTurnToken, pad_token: padToken, unk_token: unknownToken };
  return {
    tokenizerJson: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: null,
      // Not WhitespaceSplit: implementations disagree on what white space is beyond these.
      pre_tokenizer: {
        type: 'Split',
        pattern: { Regex: '[ \\t\\r\\n]+' },
        behavior: 'Removed',
        invert: false,
      },
      post_processor: null,
      // No decoder: tokens are joined with single spaces.
      decoder: null,
      model: {
        type: 'WordLevel',
        vocab: Object.fromEntries(words.map((word, id) => [word, id])),
        unk_token: unknownToken,
      },
    },
    tokenizerConfig: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [String(id), token])),
      bos_token: null,
      ...specialTokensMap,
      clean_up_tokenization_spaces: false,
      model_max_length: 1_000_000,
      padding_side: 'left',
    },
    specialTokensMap,
  };
}
