import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokenStream } from '../../src/data/chat/token-stream.ts';
import { loadTokenizer, makeTokenizer } from '../../src/data/chat/tokenizer.ts';
import { wordLevelTokenizer } from '../../src/data/chat/word-tokenizer.ts';
import { qwen } from './folder.ts';

describe('tokenStream', async () => {
  const bytes = await loadTokenizer(join(qwen, 'model'));
  const files = wordLevelTokenizer(['one', 'two', 'three'], ['<think>', '</think>']);
  const words = makeTokenizer(files.tokenizerJson, files.tokenizerConfig, 'words');

  it.each([
    ['byte-level', bytes],
    ['word-level', words],
  ])('gives, piece by piece, the text of any tokens (%s)', (_kind, tokenizer) => {
    fc.assert(
      fc.property(fc.array(fc.nat(tokenizer.size - 1), { maxLength: 30 }), (tokens) => {
        const stream = tokenStream(tokenizer);
        const pieces = [...tokens.map((token) => stream.push(token)), stream.end()];
        expect(pieces.join('')).toBe(tokenizer.decode(tokens));
      }),
    );
  });

  it('shows a character only when all of its bytes are there', () => {
    const tokens = bytes.encode('a 🜛 b');
    expect(tokens.length).toBeGreaterThan(5);
    const stream = tokenStream(bytes);
    const pieces = tokens.map((token) => stream.push(token));
    expect(pieces.join('')).toBe('a 🜛 b');
    for (const piece of pieces) expect(piece).not.toContain('\uFFFD');
  });
});
