/** A policy behind an OpenAI-compatible server: one call a response; a call that fails gives none and says why. */

import { questionMessages } from '../data/chat/prompting.ts';
import { limited } from '../data/limited.ts';
import { pictureUrl } from '../data/pictures/data-url.ts';
import type { LoadedRecord } from '../data/records/reader.ts';
import { chatEndpoint } from '../data/servers/chat-endpoint.ts';
import { InputError } from '../errors.ts';
import { keyed } from '../worlds/random.ts';
import type { Answer, Policy, SamplingOptions } from './policy.ts';
import type { EndpointSettings } from './settings.ts';

/** Calls of a chunk for each that is under way at once, so that a slow one does not leave the others' places empty. */
const CHUNK = 8;

/**
 * Each call sends a seed of its own, made of the policy's seed, the question's key and the sample: a server that heeds
 * seeds draws the same again. Throws InputError: an address or a key that cannot be used.
 */
export function endpointPolicy(
  settings: Pick<EndpointSettings, 'url' | 'model' | 'concurrency' | 'timeout_s' | 'key_variable'>,
  { template, samples, temperature, maxTokens, seed }: SamplingOptions,
): Policy {
  const { url, model, concurrency } = settings;
  const endpoint = chatEndpoint({
    url,
    model,
    concurrency,
    timeoutMs: 1000 * settings.timeout_s,
    keyVariable: settings.key_variable,
  });
  // pictures in memory are as many as calls
  const slots = limited(concurrency);
  const ask = async (record: LoadedRecord, key: number, sample: number): Promise<Answer> => {
    const picture = await shownPicture(record);
    if (picture !== null && typeof picture === 'object') return picture;
    const result = await endpoint.chat({
      messages: questionMessages({ ...record, picture }, template),
      temperature,
      maxTokens,
      seed: keyed('endpoint policy', seed, key, sample).below(2 ** 31),
    });
    if ('failure' in result) return result;
    const { text, finish } = result.reply;
    return { response: text, finish: finish === 'length' ? 'length' : 'stop' };
  };
  return {
    name: endpoint.name,
    chunk: Math.max(1, Math.ceil((CHUNK * concurrency) / samples)),
    answer: (records, keys) =>
      Promise.all(
        records.map((record, i) =>
          Promise.all(
            Array.from({ length: samples }, (_, sample) => slots(() => ask(record, keys[i], sample))),
          ),
        ),
      ),
    async dispose() {},
  };
}

/** The record's picture as a data URL, read only from where it may lie. */
async function shownPicture({ picture, roots }: LoadedRecord): Promise<string | null | { failure: string }> {
  try {
    return picture && (await pictureUrl(picture, roots));
  } catch (error) {
    if (error instanceof InputError) return { failure: error.message };
    throw error;
  }
}
