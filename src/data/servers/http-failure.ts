/** What goes wrong between a client and a server, as one line each, and whether another attempt may help. */
import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import { z } from 'zod';
import { shortened } from '../one-line.ts';

/** Takes out of foreign text what must not be shown or kept. */
export type Hidden = (text: string) => string;

/** Hides a key, also as JSON may spell it. What is shorter than four characters is no secret. */
export function hiding(key: string | null): Hidden {
  if (key === null || key.length < 4) return (text) => text;
  const json = JSON.stringify(key).slice(1, -1);
  const spellings = new Set([key, json, json.replaceAll('/', '\\/')]);
  return (text) => [...spellings].reduce((rest, spelling) => rest.replaceAll(spelling, '[key]'), text);
}

/** A call that failed. */
export class Failed extends Error {
  override name = 'Failed';
  /** Made so far. */
  attempts = 1;
  /** What went wrong: `message` says nothing, since the client would read a meaning into it. */
  readonly reason: string;
  /** Whether another attempt may help. */
  readonly again: boolean;
  /** What the server asked for. */
  readonly retryAfterMs: number | null;

  constructor(reason: string, again: boolean, retryAfterMs: number | null = null) {
    super('failed');
    this.reason = reason;
    this.again = again;
    this.retryAfterMs = retryAfterMs;
  }

  said(): string {
    return this.attempts > 1 ? `${this.reason} (${this.attempts} attempts)` : this.reason;
  }
}

/** An answer that is no success: 429 and 5xx may be others next time. */
export async function refusal(response: Response, hidden: Hidden): Promise<Failed> {
  const { status, headers } = response;
  const again = status === 429 || status >= 500;
  const detail = status >= 300 && status < 400 ? hidden(movedTo(headers)) : await detailOf(response, hidden);
  const retryAfter = headers.get('retry-after');
  return new Failed(
    `the server answered ${status}${detail === '' ? '' : `: ${detail}`}`,
    again,
    retryAfter === null ? null : retryAfterMs(retryAfter),
  );
}

/** Milliseconds from now, by seconds or an HTTP date (RFC 9110, section 10.2.3); null for anything else. */
export function retryAfterMs(value: string, now = Date.now()): number | null {
  const text = value.trim();
  const ms = /^\d+(?:\.\d+)?$/.test(text) ? 1000 * Number(text) : Date.parse(text) - now;
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

const BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 5_000;
const MAX_RETRY_AFTER_MS = 30_000;

/**
 * How long to wait before attempt n + 1: twice as long each time, up to twice that by chance (so that many who failed together
 * do not come back together), and no less than the server asked for.
 */
export function waitMs(n: number, retryAfterMs: number | null): number {
  const backoff = Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** (n - 1) * (1 + Math.random()));
  return Math.max(backoff, Math.min(MAX_RETRY_AFTER_MS, retryAfterMs ?? 0));
}

/** A connection that did not come about, or broke off. */
export function brokenConnection(error: unknown): Failed {
  if (error instanceof Failed) return error;
  const chain: { code?: unknown; message?: string }[] = [];
  for (let at = error; at instanceof Error && chain.length < 8; at = at.cause) {
    if (at instanceof Failed) return at;
    chain.push(at as Error & { code?: unknown });
  }
  const code = chain.map((link) => link.code).find((value) => typeof value === 'string') as
    | string
    | undefined;
  const said = chain.at(-1)?.message ?? String(error);
  return new Failed(REASONS[code ?? ''] ?? `the connection failed: ${shortened(said)}`, true);
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused: no server there',
  ECONNRESET: 'the connection was dropped',
  EPIPE: 'the connection was dropped',
  UND_ERR_SOCKET: 'the connection was dropped',
  ENOTFOUND: 'no server of that name',
  EAI_AGAIN: 'no server of that name',
};

function movedTo(headers: Headers): string {
  const to = headers.get('location');
  // without a query, which may hold a secret
  return `moved${to === null ? '' : ` to ${shortened(to.replace(/[?#].*$/s, ''))}`}; give the address itself`;
}

const Said = z.union([
  z.object({ error: z.object({ message: z.string() }) }).transform(({ error }) => error.message),
  z.object({ error: z.string() }).transform(({ error }) => error),
  z.object({ message: z.string() }).transform(({ message }) => message),
  z
    .object({ detail: z.unknown() })
    .transform(({ detail }) => (typeof detail === 'string' ? detail : (JSON.stringify(detail) ?? ''))),
]);

/** A long reply with the log-probabilities of 20 alternatives a token comes to some 10 MB. */
const MOST_BYTES = 32 << 20;

/** An answer's body as text. Throws Failed where it is longer than 32 MB, and what reading it throws. */
export async function bodyText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES)
      throw new Failed(`the server's answer is longer than ${MOST_BYTES >> 20} MB`, false);
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** What the server says of it, by one of the customs of such servers. */
async function detailOf(response: Response, hidden: Hidden): Promise<string> {
  const text = hidden((await bodyText(response).catch(() => '')).trim());
  if (text.startsWith('<')) return '';
  try {
    const said = Said.safeParse(JSON.parse(text));
    return shortened(said.success ? hidden(said.data) : text);
  } catch {
    return shortened(text);
  }
}

/** In all, the first among them. */
const ATTEMPTS = 3;

/** Tries again what may pass, after a wait; a failure that stays says how often it was tried. `signal` ends the wait. */
export function retried<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return pRetry(attempt, {
    retries: ATTEMPTS - 1,
    minTimeout: 0,
    shouldRetry: ({ error }) => error instanceof Failed && error.again,
    onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
      if (!(error instanceof Failed)) return;
      error.attempts = attemptNumber;
      if (!error.again || retriesLeft === 0) return;
      await sleep(waitMs(attemptNumber, error.retryAfterMs), undefined, { signal });
    },
  });
}
