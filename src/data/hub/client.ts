/**
 * Requests to the hub: tried again where that may help, and the token shown to the hub's own origin alone. Redirects
 * are followed here, since they lead to other hosts' storage.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { InputError, RunError } from '../../errors.ts';
import { brokenConnection, Failed, hiding, refusal } from '../servers/http-failure.ts';
import type { HubSettings } from './settings.ts';

const ATTEMPTS = 5;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const MOST_REDIRECTS = 8;
/** Nothing has come for so long. */
export const SILENCE_MS = 60_000;

export interface HubClient {
  /** Follows redirects; any status comes back. */
  fetch: typeof fetch;
  /** Runs `call` until it gives something. Throws InputError or RunError that begins with `source`. */
  retried<T>(source: string, call: () => Promise<T>): Promise<T>;
  /** An answer that is no success, to be thrown within `retried`. */
  refused(response: Response): Promise<Failed>;
}

export function hubClient({ endpoint, token }: HubSettings): HubClient {
  const home = new URL(endpoint).origin;
  const hidden = hiding(token);

  const ask: typeof fetch = async (input, init = {}) => {
    let url = new URL(input instanceof Request ? input.url : input);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const headers = new Headers(init.headers);
      headers.delete('authorization');
      headers.set('user-agent', 'sophiavl');
      if (token !== null && url.origin === home) headers.set('authorization', `Bearer ${token}`);
      const response = await fetch(url, { ...init, headers, redirect: 'manual' });
      const location = response.headers.get('location');
      if (response.status < 301 || response.status > 308 || location === null) return response;
      await response.body?.cancel();
      const next = new URL(location, url);
      if (!/^https?:$/.test(next.protocol) || (url.protocol === 'https:' && next.protocol === 'http:'))
        throw new Failed('the server redirects to an address that is not safe', false);
      url = next;
    }
    throw new Failed('the server redirects in a circle', false);
  };

  const retried = async <T>(source: string, call: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        if (error instanceof InputError || error instanceof RunError) throw error;
        const status = (error as { statusCode?: unknown }).statusCode;
        const failed =
          typeof status === 'number'
            ? new Failed(`the server answered ${status}`, status === 429 || status >= 500)
            : brokenConnection(error);
        if (!failed.again || attempt === ATTEMPTS)
          throw reported(source, hidden(failed.reason), attempt, token);
        const backoff = FIRST_WAIT_MS * 2 ** (attempt - 1);
        await wait(Math.min(failed.retryAfterMs ?? backoff, LONGEST_WAIT_MS));
      }
    }
  };
  return { fetch: ask, retried, refused: (response) => refusal(response, hidden) };
}

/** What is not there or not allowed is the user's to mend; a server that fails is not. */
function reported(source: string, reason: string, attempts: number, token: string | null): Error {
  const [, status] = /answered (\d+)/.exec(reason) ?? [];
  if (status === '404') return new InputError(`${source}: the hub has no such dataset, revision or file`);
  if (status === '401' || status === '403')
    return new InputError(
      `${source}: the hub refuses it (${status}); ${token === null ? 'set HF_TOKEN, or log in with hf auth login' : 'the token may not read it; accept its terms on the hub, or take another token'}`,
    );
  return new RunError(
    `${source}: ${reason}${attempts > 1 ? ` (${attempts} attempts)` : ''}; what came is kept, run again to go on`,
  );
}
