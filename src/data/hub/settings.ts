/**
 * Where the hub is, who asks and where downloads are kept: the environment variables of Hugging Face's own client, so
 * that both share one cache (https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables).
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../errors.ts';

export interface HubSettings {
  /** Without a slash at its end. */
  endpoint: string;
  /** Null where nobody is logged in. */
  token: string | null;
  /** Folder of the cache. */
  cache: string;
  /** Use what is there and ask nobody. */
  offline: boolean;
}

/** Throws InputError where HF_ENDPOINT is no address. */
export async function hubSettings(env: NodeJS.ProcessEnv = process.env): Promise<HubSettings> {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  const endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  if (!/^https?:\/\/[^/?#@]+(\/[^?#]*)?$/i.test(endpoint) || !URL.canParse(endpoint))
    throw new InputError('HF_ENDPOINT: must be the address of a hub, such as https://huggingface.co');
  return {
    endpoint,
    token: await tokenOf(env, home),
    cache: env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, 'hub'),
    offline: isTrue(env.HF_HUB_OFFLINE) || isTrue(env.TRANSFORMERS_OFFLINE),
  };
}

async function tokenOf(env: NodeJS.ProcessEnv, home: string): Promise<string | null> {
  const named = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN;
  const text = named || (await readFile(env.HF_TOKEN_PATH || join(home, 'token'), 'utf8').catch(() => ''));
  const token = text.trim();
  if (token === '') return null;
  // the token itself is never said
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new InputError(`${named ? 'HF_TOKEN' : 'the token file'}: holds more than a token; log in again`);
  return token;
}

const isTrue = (value: string | undefined) => /^(1|on|yes|true)$/i.test(value ?? '');
