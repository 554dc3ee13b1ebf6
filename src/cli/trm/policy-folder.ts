/** A policy on this machine, as `--policy`, `--adapter` and `--threads` name it. */
import type { Chat } from '../../data/chat/chat.ts';
import type { Engine } from '../../engine/types.ts';
import { modelFolder, threadsOf } from '../flags.ts';

export interface PolicyFlags {
  policy: string;
  adapter?: string;
  threads?: string;
  /** Which flag names it; --policy by default. */
  flag?: string;
}

export interface PolicyFolder {
  /** How rows name it: `DIR`, or `DIR + ADAPTER`. */
  name: string;
  chat: Chat;
  engine: Engine;
}

/** Tokens computed at once. */
const TOKEN_BUDGET = 8192;

/** Throws InputError: a folder, an adapter or a number of threads that cannot be. */
export async function openPolicyFolder({
  policy,
  adapter,
  threads,
  flag = '--policy',
}: PolicyFlags): Promise<PolicyFolder> {
  const dir = modelFolder(policy, flag);
  const computing = { provider: 'cpu', threads: threadsOf(threads), tokenBudget: TOKEN_BUDGET } as const;
  const { loadChat } = await import('../../data/chat/chat.ts');
  const { createLocalEngine } = await import('../../engine/local/index.ts');
  const chat = await loadChat(dir);
  const engine = await createLocalEngine({
    source: { dir },
    adapter: adapter === undefined ? null : { dir: adapter },
    trainable: false,
    ...computing,
  });
  return { name: adapter === undefined ? policy : `${policy} + ${adapter}`, chat, engine };
}
