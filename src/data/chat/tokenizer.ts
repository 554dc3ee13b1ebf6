/**
 * The tokenizer of a Hugging Face folder (tokenizer.json, tokenizer_config.json), by @huggingface/tokenizers, which
 * agrees with the original on byte-level BPE. That library has no word-level model; a word-level tokenizer is given to
 * it as WordPiece without continuation pieces, which is the same thing.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers';
import { InputError } from '../../errors.ts';
import { decodeUtf8, parseJson, readError } from '../jsonl.ts';

export interface Tokenizer {
  /** Token ids of a text: special tokens in it are recognised, nothing is added. */
  encode(text: string): number[];
  /** Text of all tokens, special ones too. Ids without a token give nothing. */
  decode(ids: readonly number[]): string;
  /** Text without special tokens (`<|im_end|>` …; tags such as `<think>` stay where the tokenizer has them as text). */
  decodePlain(ids: readonly number[]): string;
  /** Id of a token. Throws InputError if the tokenizer has no such token. */
  id(token: string): number;
  /** Id of a token, or null. */
  find(token: string): number | null;
  /** Largest id + 1. */
  size: number;
  /** The end-of-turn token: text and id (`eos_token`). */
  endOfTurn: { token: string; id: number };
  /** The padding token's id, else the end-of-turn's. */
  pad: number;
  /** Ids that end a response: the end of turn and what generation_config.json adds. */
  stop: number[];
  /** Texts of the named special tokens (`bos_token` …) as chat templates may use them. */
  named: Record<string, string>;
}

type Json = Record<string, unknown>;

/** Loads the tokenizer of a Hugging Face folder. Throws InputError naming the file. */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  const [tokenizerJson, config, generation] = await Promise.all([
    readJsonObject(join(dir, 'tokenizer.json')),
    readJsonObject(join(dir, 'tokenizer_config.json')),
    readJsonObject(join(dir, 'generation_config.json')),
  ]);
  if (tokenizerJson === null)
    throw new InputError(
      existsSync(dir)
        ? `${dir}: no tokenizer.json; save the tokenizer of this model beside its weights`
        : `${dir}: no such folder; give a Hugging Face model folder (config.json, *.safetensors, tokenizer.json)`,
    );
  const tokenizer = makeTokenizer(tokenizerJson, config ?? {}, dir);
  const extra = generation?.eos_token_id;
  const ids = (Array.isArray(extra) ? extra : [extra]).filter((id): id is number => Number.isInteger(id));
  return { ...tokenizer, stop: [...new Set([tokenizer.endOfTurn.id, ...ids])] };
}

/** The tokenizer of two parsed files; `source` names them in messages. Throws InputError. */
export function makeTokenizer(tokenizerJson: object, config: object, source: string): Tokenizer {
  let hub: HubTokenizer;
  try {
    hub = new HubTokenizer(asWordPiece(tokenizerJson as Json), {
      ...config,
      clean_up_tokenization_spaces: false,
    });
  } catch (error) {
    throw new InputError(`${source}: tokenizer.json cannot be used (${(error as Error).message})`, {
      cause: error,
    });
  }
  const find = (token: string) => hub.token_to_id(token) ?? null;
  const id = (token: string) => {
    const found = find(token);
    if (found === null) throw new InputError(`${source}: the tokenizer has no token ${token}`);
    return found;
  };
  const named = namedTokens(config as Json);
  if (named.eos_token === undefined)
    throw new InputError(
      `${source}: tokenizer_config.json names no eos_token; name the token that ends a turn`,
    );
  const endOfTurn = { token: named.eos_token, id: id(named.eos_token) };
  const decode = (ids: readonly number[], skip: boolean) =>
    ids.length === 0 ? '' : hub.decode([...ids], { skip_special_tokens: skip });
  return {
    encode: (text) => (text === '' ? [] : hub.encode(text, { add_special_tokens: false }).ids),
    decode: (ids) => decode(ids, false),
    decodePlain: (ids) => decode(ids, true),
    id,
    find,
    size: [...hub.get_vocab(true).values()].reduce((largest, value) => Math.max(largest, value), -1) + 1,
    endOfTurn,
    pad: (named.pad_token === undefined ? null : find(named.pad_token)) ?? endOfTurn.id,
    stop: [endOfTurn.id],
    named,
  };
}

/** A JSON object from a file, or null if there is no such file. Throws InputError. */
export async function readJsonObject(file: string): Promise<Json | null> {
  const bytes = await readFile(file).catch((error) => {
    if (error.code === 'ENOENT') return null;
    throw readError(error, file);
  });
  if (bytes === null) return null;
  const value = parseJson(decodeUtf8(bytes, file), file);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError(`${file}: must be a JSON object`);
  return value as Json;
}

function namedTokens(config: Json): Record<string, string> {
  const named: Record<string, string> = {};
  for (const key of ['bos_token', 'eos_token', 'pad_token', 'unk_token']) {
    const value = config[key] as string | { content?: string } | null | undefined;
    const text = typeof value === 'string' ? value : value?.content;
    if (typeof text === 'string') named[key] = text;
  }
  return named;
}

function asWordPiece(tokenizerJson: Json): Json {
  const model = tokenizerJson.model as Json | undefined;
  if (model?.type !== 'WordLevel') return tokenizerJson;
  const words = Object.keys(model.vocab as object);
  const longest = words.reduce((length, word) => Math.max(length, [...word].length), 0);
  return {
    ...tokenizerJson,
    // A prefix with a space cannot occur in a word split at white space, so no word is ever put together from pieces.
    model: { ...model, type: 'WordPiece', continuing_subword_prefix: ' ', max_input_chars_per_word: longest },
  };
}
