import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  chatPictures,
  chatPrompt,
  loadChat,
  makeChat,
  parseMessages,
  worldChatTemplate,
} from '../../src/data/chat/chat.ts';
import { makeTokenizer } from '../../src/data/chat/tokenizer.ts';
import { wordLevelTokenizer } from '../../src/data/chat/word-tokenizer.ts';
import { readPicture } from '../../src/data/pictures/images.ts';
import { InputError } from '../../src/errors.ts';
import { qwen, temporaryFolder } from './folder.ts';
import { readInt32Tensors } from './safetensors.ts';

const tokenizerGolden = JSON.parse(readFileSync(join(qwen, 'golden/tokenizer.json'), 'utf8'));
const manifest = JSON.parse(readFileSync(join(qwen, 'golden/manifest.json'), 'utf8'));
const { images } = JSON.parse(readFileSync(join(qwen, 'golden/images.json'), 'utf8'));
const words = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/word_tokenizer/golden.json'), 'utf8'),
);

interface GoldenPart {
  text?: string;
  image?: string;
}

/** The golden messages leave out `type`. */
function typed(messages: { role: string; content: string | GoldenPart[] }[]) {
  return parseMessages(
    messages.map(({ role, content }) => ({
      role,
      content:
        typeof content === 'string'
          ? content
          : content.map((part) => ({ type: part.image === undefined ? 'text' : 'image', ...part })),
    })),
    'golden',
  );
}

describe("a folder's own chat template (golden from Hugging Face)", async () => {
  const chat = await loadChat(join(qwen, 'model'));

  it('renders every golden chat', () => {
    for (const { messages, add_generation_prompt, add_vision_id, rendered } of tokenizerGolden.chat) {
      const options = { addGenerationPrompt: add_generation_prompt, variables: { add_vision_id } };
      expect(chat.render(messages, options)).toBe(rendered);
    }
  });

  it('is found in chat_template.jinja, else chat_template.json, else tokenizer_config.json', async () => {
    const dir = temporaryFolder();
    cpSync(join(qwen, 'model'), dir, { recursive: true });
    const render = async () =>
      (await loadChat(dir)).render([{ role: 'user', content: 'x' }], { addGenerationPrompt: false });
    writeFileSync(join(dir, 'chat_template.jinja'), 'from jinja');
    writeFileSync(join(dir, 'chat_template.json'), '{"chat_template": "from json"}');
    expect(await render()).toBe('from jinja');
    rmSync(join(dir, 'chat_template.jinja'));
    expect(await render()).toBe('from json');
    rmSync(join(dir, 'chat_template.json'));
    expect(await render()).toMatch(/^<\|im_start\|>system\n/);
    const config = JSON.parse(readFileSync(join(dir, 'tokenizer_config.json'), 'utf8'));
    const listed = { ...config, chat_template: [{ name: 'default', template: 'from list' }] };
    writeFileSync(join(dir, 'tokenizer_config.json'), JSON.stringify(listed));
    expect(await render()).toBe('from list');
    writeFileSync(
      join(dir, 'tokenizer_config.json'),
      JSON.stringify({ ...config, chat_template: undefined }),
    );
    await expect(render()).rejects.toThrow(/no chat template/);
  });

  it('that is broken, or refuses the chat, is one line', () => {
    expect(() => makeChat(chat.tokenizer, '{% if %}', 'DIR')).toThrow(/^DIR: the chat template failed: /);
    const refusing = makeChat(chat.tokenizer, "{{ raise_exception('no system turns') }}", 'DIR');
    expect(() => refusing.render([], { addGenerationPrompt: true })).toThrow(
      new InputError('DIR: the chat template failed: no system turns'),
    );
  });
});

describe('chatPrompt (golden prompt ids from Hugging Face)', async () => {
  const chat = await loadChat(join(qwen, 'model'));
  const placeholder = chat.tokenizer.id('<|image_pad|>');

  for (const name of Object.keys(manifest.cases)) {
    it(`gives the prompt ids of case ${name} once its pictures are replaced by their placeholders`, async () => {
      const tensors = readInt32Tensors(join(qwen, `golden/case_${name}.safetensors`));
      for (const [row, golden] of manifest.cases[name].rows.entries()) {
        const messages = typed(golden.messages);
        expect(chatPictures(messages)).toEqual(golden.images);
        const entries = golden.images.map((image: string) =>
          images.find((entry: { name: string }) => entry.name === image),
        );
        const pictures = await Promise.all(
          entries.map((entry: { file: string }) => readPicture(join(qwen, 'images', entry.file))),
        );
        const { chunks } = chatPrompt(chat, messages, pictures, name);
        const expanded = chunks.flatMap((chunk) => {
          if ('tokens' in chunk) return chunk.tokens;
          return Array(entries[pictures.indexOf(chunk.image)].image_tokens).fill(placeholder);
        });
        const wanted = tensors.prompt_ids[row].filter((_, index) => tensors.prompt_mask[row][index] === 1);
        expect(expanded).toEqual(wanted);
        expect(chat.tokenizer.encode(golden.completion)).toEqual(golden.completion_ids);
      }
    });
  }

  it('keeps <|vision_start|> and <|vision_end|> around the picture', async () => {
    const picture = await readPicture(join(qwen, 'images/chart.png'));
    const content = [
      { type: 'image' as const, image: 'chart' },
      { type: 'text' as const, text: 'A?' },
    ];
    const { chunks } = chatPrompt(chat, [{ role: 'user', content }], [picture], 'q');
    expect(chunks).toHaveLength(3);
    const [before, middle, after] = chunks;
    expect('tokens' in before && before.tokens.at(-1)).toBe(chat.tokenizer.id('<|vision_start|>'));
    expect(middle).toEqual({ image: picture });
    expect('tokens' in after && after.tokens[0]).toBe(chat.tokenizer.id('<|vision_end|>'));
  });

  it('refuses a text that holds a placeholder, and pictures without one', async () => {
    const picture = await readPicture(join(qwen, 'images/chart.png'));
    const user = (content: string) => [{ role: 'user', content }];
    expect(() => chatPrompt(chat, user('a <|image_pad|>'), [], 'rows.jsonl:3')).toThrow(
      /^rows\.jsonl:3: 0 picture\(s\) but 1 /,
    );
    expect(() => chatPrompt(chat, user('a'), [picture], 'rows.jsonl:3')).toThrow(InputError);
  });
});

describe('parseMessages', () => {
  it.each([
    ['none', []],
    ['no list', { role: 'user', content: 'a' }],
    ['no content', [{ role: 'user' }]],
    ['a part of another type', [{ role: 'user', content: [{ type: 'video', video: 'a.mp4' }] }]],
  ])('refuses %s with one line', (_, value) => {
    expect(() => parseMessages(value, 'f:1')).toThrow(/^f:1: /);
    expect(() => parseMessages(value, 'f:1')).toThrow(InputError);
  });
});

describe("the worlds' chat template", () => {
  const { tokenizerJson, tokenizerConfig } = wordLevelTokenizer(words.words, words.specials);
  const chat = makeChat(makeTokenizer(tokenizerJson, tokenizerConfig, 'words'), worldChatTemplate, 'words');

  it('renders as transformers renders it (tokenizer and Qwen2_5_VLProcessor)', () => {
    expect(words.chat.length).toBeGreaterThan(4);
    for (const { messages, gen, r } of words.chat)
      expect(chat.render(messages, { addGenerationPrompt: gen })).toBe(r);
  });

  it('makes picture, question, start of turn; the response and the end of turn follow', () => {
    const content = [
      { type: 'image' as const, image: 'x' },
      { type: 'text' as const, text: 'how many red ?' },
    ];
    const turns = [
      { role: 'user', content },
      { role: 'assistant', content: '<think> so 1 </think>' },
    ];
    const prompt = '<|vision_start|><|image_pad|><|vision_end|>how many red ?<|im_start|>';
    expect(chat.render(turns.slice(0, 1), { addGenerationPrompt: true })).toBe(prompt);
    expect(chat.render(turns, { addGenerationPrompt: false })).toBe(
      `${prompt}<think> so 1 </think><|im_end|>`,
    );
  });
});
