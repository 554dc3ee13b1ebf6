import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadTokenizer, makeTokenizer } from '../../src/data/chat/tokenizer.ts';
import { wordLevelTokenizer } from '../../src/data/chat/word-tokenizer.ts';
import { InputError } from '../../src/errors.ts';
import { qwen, temporaryFolder } from './folder.ts';

const golden = JSON.parse(readFileSync(join(qwen, 'golden/tokenizer.json'), 'utf8'));
const words = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/word_tokenizer/golden.json'), 'utf8'),
);

function copyOfModel(): string {
  const dir = temporaryFolder();
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'])
    cpSync(join(qwen, 'model', name), join(dir, name));
  return dir;
}

describe('loadTokenizer (byte-level BPE, golden from Hugging Face)', async () => {
  const tokenizer = await loadTokenizer(join(qwen, 'model'));

  it('encodes every golden text to the golden ids', () => {
    for (const { text, ids } of golden.encode) expect(tokenizer.encode(text)).toEqual(ids);
  });

  it('decodes every golden id list, with and without special tokens', () => {
    for (const { ids, decoded, decoded_skip_special } of [...golden.encode, ...golden.decode]) {
      expect(tokenizer.decode(ids)).toBe(decoded);
      expect(tokenizer.decodePlain(ids)).toBe(decoded_skip_special);
    }
  });

  it('knows the special tokens, the end of turn, the padding and what stops a response', () => {
    for (const [token, id] of Object.entries(golden.special_ids)) expect(tokenizer.id(token)).toBe(id);
    expect(tokenizer.size).toBe(golden.tokenizer_len);
    expect(tokenizer.endOfTurn).toEqual({ token: '<|im_end|>', id: 642 });
    expect(tokenizer.pad).toBe(640);
    const { eos_token_id } = JSON.parse(readFileSync(join(qwen, 'model/generation_config.json'), 'utf8'));
    expect(new Set(tokenizer.stop)).toEqual(new Set([642, ...[eos_token_id].flat()]));
    expect(tokenizer.find('<nothing>')).toBeNull();
    expect(() => tokenizer.id('<nothing>')).toThrow(InputError);
  });

  it('any text decodes to itself in normal form C', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.normalize('NFC'));
      }),
    );
  });
});

describe('loadTokenizer on a bad folder', () => {
  it.each([
    ['no tokenizer.json', (dir: string) => rmSync(join(dir, 'tokenizer.json')), /no tokenizer\.json/],
    [
      'a cut tokenizer.json',
      (dir: string) => writeFileSync(join(dir, 'tokenizer.json'), '{"model":'),
      /tokenizer\.json: not valid JSON/,
    ],
    [
      'a tokenizer.json of another kind',
      (dir: string) => writeFileSync(join(dir, 'tokenizer.json'), '{}'),
      /tokenizer\.json cannot be used/,
    ],
    [
      'a list for tokenizer_config.json',
      (dir: string) => writeFileSync(join(dir, 'tokenizer_config.json'), '[]'),
      /tokenizer_config\.json: must be a JSON object/,
    ],
    [
      'no end-of-turn token',
      (dir: string) => writeFileSync(join(dir, 'tokenizer_config.json'), '{}'),
      /names no eos_token/,
    ],
  ])('%s is one line that names it', async (_, spoil, message) => {
    const dir = copyOfModel();
    spoil(dir);
    const error = await loadTokenizer(dir).catch((caught) => caught);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
  });
});

describe('wordLevelTokenizer (golden from transformers, which loaded the same files)', () => {
  const { tokenizerJson, tokenizerConfig } = wordLevelTokenizer(words.words, words.specials);
  const tokenizer = makeTokenizer(tokenizerJson, tokenizerConfig, 'words');

  it('encodes and decodes as transformers does', () => {
    for (const { text, ids } of words.encode) expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
    for (const { ids, d, s } of words.decode) {
      expect(tokenizer.decode(ids)).toBe(d);
      expect(tokenizer.decodePlain(ids)).toBe(s);
    }
  });

  it('numbers words first, then markers', () => {
    const all = [...words.words, ...words.specials, '<|unk|>'];
    all.forEach((word, id) => {
      expect(tokenizer.encode(word)).toEqual([id]);
    });
    expect(tokenizer.size).toBe(all.length);
  });

  it('joins a response with single spaces, its tags too, however it was spaced', () => {
    const wanted = '<think> b1 red circle so 2 </think> <answer> 2 </answer>';
    for (const text of [
      '<think>b1 red circle so 2</think><answer>2</answer><|im_end|>',
      ` ${wanted}\n<|im_end|>`,
    ]) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(`${wanted} <|im_end|>`);
      expect(tokenizer.decodePlain(tokenizer.encode(text))).toBe(wanted);
    }
  });

  it('never fails on a text: an unknown word is <|unk|>, long or not', () => {
    const unknown = tokenizer.id('<|unk|>');
    expect(tokenizer.encode(`red ${'x'.repeat(100_000)} b12 Red`)).toEqual([
      tokenizer.id('red'),
      unknown,
      unknown,
      unknown,
    ]);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const id of tokenizer.encode(text)) expect(id).toBeLessThan(tokenizer.size);
      }),
    );
  });

  it('refuses words with white space and words that come twice', () => {
    expect(() => wordLevelTokenizer(['a b'], [])).toThrow(RangeError);
    expect(() => wordLevelTokenizer(['a', ''], [])).toThrow(RangeError);
    expect(() => wordLevelTokenizer(['a', 'a'], [])).toThrow(RangeError);
    expect(() => wordLevelTokenizer(['a'], ['a'])).toThrow(RangeError);
  });
});
