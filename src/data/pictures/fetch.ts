/**
 * A picture from a URL that a stranger wrote: from web servers at public addresses only, checked on the DNS answers that
 * are connected to (what is resolved once is not resolved again, so that no second answer can lead elsewhere) and anew
 * at every redirect. Sends nothing of this machine but the request.
 */
import { lookup as dnsLookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { InputError } from '../../errors.ts';
import { shortened } from '../one-line.ts';
import { brokenConnection, Failed, retried, retryAfterMs } from '../servers/http-failure.ts';
import { shownAddress } from './address.ts';
import { isPublicAddress, isWebPort } from './public-address.ts';

/** Where it connects to: the world, or what a test has put up. */
export interface Network {
  /** All addresses of a name. */
  resolve(host: string): Promise<string[]>;
  isAllowed(address: string): boolean;
  isAllowedPort(port: string): boolean;
}

export interface FetchOptions {
  maxBytes: number;
  /** Of one attempt, redirects and body included. */
  timeoutMs?: number;
  network?: Network;
}

export const INTERNET: Network = {
  resolve: async (host) =>
    (await dnsLookup(host, { all: true, verbatim: true })).map(({ address }) => address),
  isAllowed: isPublicAddress,
  isAllowedPort: isWebPort,
};

const REDIRECTS = 3;
const TIMEOUT_MS = 30_000;

/** A URL that is not asked, whatever happens. */
class Refused extends Error {}

/** The body of a 200. Throws InputError `URL: …`, after three attempts where another might have helped. */
export async function fetchPicture(url: string, options: FetchOptions): Promise<Buffer> {
  const shown = shownAddress(url);
  try {
    return await retried(() => attempt(url, options));
  } catch (error) {
    if (error instanceof Refused) throw new InputError(`${shown}: ${error.message}`);
    if (error instanceof Failed)
      throw new InputError(`${shown}: cannot be fetched: ${error.said()}`, { cause: error });
    throw error;
  }
}

async function attempt(url: string, { timeoutMs = TIMEOUT_MS, ...options }: FetchOptions): Promise<Buffer> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    let at = allowedUrl(url, null, options.network ?? INTERNET);
    for (let redirects = 0; ; redirects++) {
      const answer = await get(at, signal, options);
      if (Buffer.isBuffer(answer)) return answer;
      if (redirects === REDIRECTS) throw new Failed(`more than ${REDIRECTS} redirects`, false);
      at = allowedUrl(answer.location, at, options.network ?? INTERNET);
    }
  } catch (error) {
    if (error instanceof Refused || error instanceof Failed) throw error;
    if (signal.aborted) throw new Failed(`no whole answer within ${timeoutMs / 1000} s`, true);
    const refused = causes(error).find((cause) => cause instanceof Refused);
    throw refused ?? brokenConnection(error);
  }
}

function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let at = error; at instanceof Error && chain.length < 8; at = at.cause) {
    chain.push(at);
    if (at instanceof AggregateError) chain.push(...at.errors);
  }
  return chain;
}

/** A URL that may be asked. Addresses in any spelling (0x7f.1, 2130706433) are plain ones by now: URL's parser sees to that. */
function allowedUrl(text: string, from: URL | null, network: Network): URL {
  if (!URL.canParse(text, from?.href)) throw new Refused('is no valid URL');
  const url = new URL(text, from?.href);
  const led = from === null ? '' : 'is redirected to a URL that ';
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new Refused(`${led}is of the kind ${shortened(url.protocol, 40)}, not http: or https:`);
  if (from?.protocol === 'https:' && url.protocol === 'http:')
    throw new Refused(`${led}is not encrypted, as the first is`);
  if (url.username !== '' || url.password !== '') throw new Refused(`${led}holds a name or a password`);
  if (!network.isAllowedPort(url.port))
    throw new Refused(`${led}names port ${url.port}; pictures are fetched from 80, 443, 8080 and 8443`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) requireAllowed(host, [host], network);
  return url;
}

function requireAllowed(host: string, addresses: readonly string[], { isAllowed }: Network): void {
  const wrong = addresses.find((address) => !isAllowed(address));
  if (wrong === undefined) return;
  const named = host === wrong ? '' : `${shortened(host, 100)} is `;
  throw new Refused(
    `leads to ${named}${wrong}, which is no public address; pictures are fetched from public ones alone`,
  );
}

/** The body, or where a redirect leads. */
function get(
  url: URL,
  signal: AbortSignal,
  { maxBytes, network = INTERNET }: FetchOptions,
): Promise<Buffer | { location: string }> {
  // called by the socket itself: what it is told here is what it connects to
  const lookup: LookupFunction = (host, { all }, answer) => {
    network.resolve(host).then(
      (addresses) => {
        try {
          requireAllowed(host, addresses, network);
          const found = addresses.map((address) => ({ address, family: isIP(address) }));
          if (found.length === 0) throw new Failed('no server of that name', true);
          if (all) answer(null, found);
          else answer(null, found[0].address, found[0].family);
        } catch (error) {
          answer(error as NodeJS.ErrnoException, '', 0);
        }
      },
      (error) => answer(error, '', 0),
    );
  };
  return new Promise((done, fail) => {
    const request = (url.protocol === 'https:' ? https : http).get(url, {
      agent: false,
      lookup,
      signal,
      rejectUnauthorized: true,
      headers: { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'sophiavl' },
    });
    request.on('error', fail);
    request.on('response', (response) => {
      const end = (error: Error) => {
        // before what destroying it makes of it
        fail(error);
        response.destroy();
      };
      response.on('error', fail);
      const { statusCode = 0, headers } = response;
      if ([301, 302, 303, 307, 308].includes(statusCode) && headers.location !== undefined) {
        response.destroy();
        done({ location: headers.location });
        return;
      }
      if (statusCode !== 200) {
        const again = statusCode === 429 || statusCode >= 500;
        const after = headers['retry-after'];
        end(
          new Failed(
            `the server answered ${statusCode}`,
            again,
            after === undefined ? null : retryAfterMs(after),
          ),
        );
        return;
      }
      if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
        end(new Failed('the server sends it compressed, which was not asked for', false));
        return;
      }
      const tooLarge = () => end(new Failed(`is larger than ${maxBytes >> 20} MB`, false));
      if (Number(headers['content-length'] ?? 0) > maxBytes) return tooLarge();
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > maxBytes) return tooLarge();
        chunks.push(chunk);
      });
      response.on('aborted', () => fail(new Failed('the connection was dropped', true)));
      response.on('end', () => {
        if (response.complete) done(Buffer.concat(chunks));
        else fail(new Failed('the connection was dropped', true));
      });
    });
  });
}
