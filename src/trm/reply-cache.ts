/**
 * Replies of a server on disk, one file each, so that the same question is not paid for twice: sub-folders by the first
 * three digits of the key hold a few hundred files each at the paper's 470,331 responses. Files are written whole, by as many
 * processes at once as like; what cannot be read is asked for again.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeError, writeFileWhole } from '../data/atomic.ts';
import { ChatReply } from '../data/servers/chat-reply.ts';

/** All that a reply depends on. */
export interface Asked {
  /** Of the server. */
  url: string;
  model: string;
  /** Temperature, longest reply and the like. */
  sampling: Record<string, number | null>;
  /** The prompt's text. */
  text: string;
  /** The picture as it is sent, or null. */
  picture: string | null;
  /** The response that is judged. */
  response: string;
}

export interface ReplyCache {
  /** Null: not there, or damaged. */
  get(asked: Asked): Promise<ChatReply | null>;
  /** Throws RunError: the disk is full, the folder may not be written to. */
  put(asked: Asked, reply: ChatReply): Promise<void>;
}

const Entry = z.object({ format: z.literal(1), key: z.string(), reply: ChatReply });

/** Throws RunError where the folder cannot be made. */
export async function openReplyCache(dir: string): Promise<ReplyCache> {
  await mkdir(dir, { recursive: true }).catch((error) => {
    throw writeError(error, dir);
  });
  const fileOf = (key: string) => join(dir, key.slice(0, 3), `${key.slice(3)}.json`);
  return {
    async get(asked) {
      const key = replyKey(asked);
      try {
        const entry = Entry.parse(JSON.parse(await readFile(fileOf(key), 'utf8')));
        return entry.key === key ? entry.reply : null;
      } catch {
        return null;
      }
    },
    async put(asked, reply) {
      const key = replyKey(asked);
      await writeFileWhole(fileOf(key), `${JSON.stringify({ format: 1, key, reply })}\n`);
    },
  };
}

/** SHA-256, hexadecimal. */
function replyKey({ url, model, sampling, text, picture, response }: Asked): string {
  const sha = (part: string) => createHash('sha256').update(part).digest('hex');
  const settings = Object.entries(sampling).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha(
    JSON.stringify([1, url, model, settings, text, picture === null ? null : sha(picture), response]),
  );
}
