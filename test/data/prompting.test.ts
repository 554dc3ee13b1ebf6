import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeChat, worldChatTemplate } from '../../src/data/chat/chat.ts';
import {
  checkTemplate,
  completionOf,
  questionText,
  recordCompletion,
  recordPrompt,
  responseSegments,
} from '../../src/data/chat/prompting.ts';
import { loadTokenizer, makeTokenizer } from '../../src/data/chat/tokenizer.ts';
import { wordLevelTokenizer } from '../../src/data/chat/word-tokenizer.ts';
import { encodePng } from '../../src/data/pictures/images.ts';
import type { LoadedRecord } from '../../src/data/records/reader.ts';
import { InputError } from '../../src/errors.ts';
import { qwen, temporaryFolder } from './folder.ts';

const markers = [
  '<|vision_start|>',
  '<|vision_end|>',
  '<|image_pad|>',
  '<|im_start|>',
  '<think>',
  '</think>',
  '<answer>',
  '</answer>',
];
const { tokenizerJson, tokenizerConfig } = wordLevelTokenizer(
  ['how', 'many', '?', 'b1', 'red', 'so', '1', '2'],
  markers,
);
const tokenizer = makeTokenizer(tokenizerJson, tokenizerConfig, 'words');
const chat = makeChat(tokenizer, worldChatTemplate, 'words');

const record = (more: Partial<LoadedRecord> = {}): LoadedRecord => ({
  problem_id: 1,
  problem: 'how many ?',
  data_type: 'text',
  problem_type: 'numerical',
  options: [],
  process: 'b1 red so 1',
  solution: '<answer>1</answer>',
  path: null,
  data_source: '',
  picture: null,
  source: 'f:1',
  ...more,
});

describe('questionText', () => {
  it('fills in problem and options, one option a line', () => {
    const text = questionText(record({ options: ['A. 1', 'B. 2'] }), 'Q: {problem}\n{options}\nGo.');
    expect(text).toBe('Q: how many ?\nA. 1\nB. 2\nGo.');
  });

  it('drops the line of {options} where there are none', () => {
    expect(questionText(record(), '{problem}\n{options}\nGo.')).toBe('how many ?\nGo.');
    expect(questionText(record(), '{problem}\n{options}')).toBe('how many ?');
    expect(questionText(record(), '{problem} {options}')).toBe('how many ? ');
  });

  it('does not read what it fills in as a template, nor other braces', () => {
    const tricky = record({ problem: '{options} $& \\boxed{x}', options: ['{problem}'] });
    expect(questionText(tricky, '{problem}|{options}|{x}')).toBe('{options} $& \\boxed{x}|{problem}|{x}');
  });

  it('a template without {problem} is refused by its key', () => {
    expect(() => checkTemplate('{options}', 'prompt.template')).toThrow(
      new InputError('prompt.template: must hold {problem} (and may hold {options})'),
    );
    checkTemplate('{problem}', 'prompt.template');
  });
});

describe('recordPrompt', () => {
  it('puts the picture first, then the text', async () => {
    const picture = join(temporaryFolder(), 'p.png');
    writeFileSync(picture, await encodePng(new Uint8Array(12), 2, 2));
    const { chunks } = await recordPrompt(chat, record({ data_type: 'image', picture }), '{problem}');
    expect(
      chunks.map((chunk) =>
        'image' in chunk ? `${chunk.image.width}×${chunk.image.height}` : tokenizer.decode(chunk.tokens),
      ),
    ).toEqual(['<|vision_start|>', '2×2', '<|vision_end|> how many ? <|im_start|>']);
  });

  it('is tokens alone for a text question', async () => {
    const { chunks } = await recordPrompt(chat, record(), '{problem}');
    expect(chunks).toEqual([{ tokens: tokenizer.encode('how many ? <|im_start|>') }]);
  });

  it('names the record whose picture is damaged, and the picture', async () => {
    const picture = join(temporaryFolder(), 'p.png');
    writeFileSync(picture, (await encodePng(new Uint8Array(12), 2, 2)).subarray(0, 40));
    const row = record({ data_type: 'image', picture, source: 'q.jsonl:3' });
    const failed = recordPrompt(chat, row, '{problem}');
    await expect(failed).rejects.toThrow(InputError);
    await expect(failed).rejects.toThrow(`q.jsonl:3: path: ${picture}: cannot decode the picture`);
  });
});

describe('the completion of supervised training', () => {
  const shown = (row: LoadedRecord) => {
    const { tokens, weights } = recordCompletion(tokenizer, row);
    return { text: tokenizer.decode(tokens), weights: weights.join('') };
  };

  it('is <think>process</think><answer>solution</answer>, all of it trained, ended by the end of turn', () => {
    const wanted = {
      text: '<think> b1 red so 1 </think> <answer> 1 </answer> <|im_end|>',
      weights: '1111111111',
    };
    expect(shown(record())).toEqual(wanted);
    expect(shown(record({ process: ' <think>b1 red so 1</think>\n', solution: '1' }))).toEqual(wanted);
  });

  it('keeps the published spacing for a byte-level tokenizer', async () => {
    const bpe = await loadTokenizer(join(qwen, 'model'));
    const { tokens } = recordCompletion(bpe, record());
    expect(bpe.decode(tokens)).toBe('<think>b1 red so 1</think><answer>1</answer><|im_end|>');
  });

  it('takes the response before the process, and the segments before both', () => {
    expect(shown(record({ response: 'so 2' })).text).toBe('so 2 <|im_end|>');
    const segments = [
      { text: 'b1', train: false },
      { text: 'red 1', train: true },
    ];
    expect(shown(record({ response: 'so 2', segments }))).toEqual({
      text: 'b1 red 1 <|im_end|>',
      weights: '0111',
    });
  });

  it('does not train the end of turn after a last segment that is not trained', () => {
    const segments = [
      { text: 'b1', train: true },
      { text: 'red', train: false },
    ];
    expect(shown(record({ segments })).weights).toBe('100');
  });

  it('does not end a response twice', () => {
    expect(completionOf(tokenizer, [{ text: 'so 2<|im_end|>', train: true }]).tokens).toEqual(
      tokenizer.encode('so 2 <|im_end|>'),
    );
  });

  it('a record with nothing to learn from is one line', () => {
    expect(() => responseSegments(record({ process: '' }), 'f:1')).toThrow(/^f:1: nothing to learn from/);
  });
});
