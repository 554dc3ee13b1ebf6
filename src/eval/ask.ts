/** One question to a checkpoint: its own chat template, pictures before the text, the response told as it is drawn. */
import { chatPrompt, loadChat } from '../data/chat/chat.ts';
import { tokenStream } from '../data/chat/token-stream.ts';
import { readPicture } from '../data/pictures/images.ts';
import { createLocalEngine } from '../engine/local/index.ts';

export interface Question {
  /** A Qwen2.5-VL folder. */
  model: string;
  /** Folder of a LoRA adapter beside its weights; null: none. */
  adapter: string | null;
  /** Files, shown before the text in this order. */
  pictures: string[];
  prompt: string;
  maxTokens: number;
  /** 0 is greedy. */
  temperature: number;
  seed: number;
  threads: number;
}

export interface Answer {
  /** Without the token that ended it. */
  response: string;
  /** Tokens drawn, that one included. */
  tokens: number;
  /** 'length': cut off by maxTokens. */
  finish: 'stop' | 'length';
}

/** Tokens computed at once: one prompt of a few pictures. */
const TOKEN_BUDGET = 8192;

/** Throws InputError naming the file of a folder or picture that cannot be used. */
export async function ask(question: Question, told: (text: string) => void): Promise<Answer> {
  const { model, adapter, maxTokens, temperature, seed, threads } = question;
  const pictures = await Promise.all(question.pictures.map((picture) => readPicture(picture)));
  const chat = await loadChat(model);
  const content = [
    ...question.pictures.map((image) => ({ type: 'image' as const, image })),
    { type: 'text' as const, text: question.prompt },
  ];
  const prompt = chatPrompt(chat, [{ role: 'user', content }], pictures, '--prompt');
  const engine = await createLocalEngine({
    source: { dir: model },
    adapter: adapter === null ? null : { dir: adapter },
    trainable: false,
    provider: 'cpu',
    threads,
    tokenBudget: TOKEN_BUDGET,
  });
  try {
    const { stop } = chat.tokenizer;
    const text = tokenStream(chat.tokenizer);
    const [[{ tokens, finish }]] = await engine.sample([prompt], {
      samples: 1,
      maxTokens,
      temperature,
      seed,
      stop,
      onToken: ({ token }) => {
        if (!stop.includes(token)) told(text.push(token));
      },
    });
    told(text.end());
    const response = chat.tokenizer.decode(finish === 'stop' ? tokens.slice(0, -1) : tokens);
    return { response, tokens: tokens.length, finish };
  } finally {
    await engine.dispose();
  }
}
