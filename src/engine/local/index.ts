/**
 * The local engine: ONNX Runtime in a worker thread of its own, so that a long backward pass does not hold up judge
 * calls, deadlines, Ctrl-C or progress in the main thread.
 */
import { Worker } from 'node:worker_threads';
import { InputError, RunError } from '../../errors.ts';
import type { Capabilities, DrawnToken, Engine, Weights } from '../types.ts';
import type { LocalOptions, OPERATIONS } from './host.ts';
import type { Call, Reply } from './worker.ts';

type Operations = typeof OPERATIONS;
type Result<K extends keyof Operations> = Awaited<ReturnType<Operations[K]>>;

/** Starts an engine. Throws InputError where the folder is not a whole Qwen2.5-VL checkpoint. */
export async function createLocalEngine(options: LocalOptions): Promise<Engine> {
  const thread = startThread();
  try {
    const { handle, capabilities } = await thread.call('create', options);
    return proxy(thread, handle, capabilities, true);
  } catch (error) {
    await thread.stop();
    throw error;
  }
}

interface Thread {
  call<K extends keyof Operations>(operation: K, ...args: Parameters<Operations[K]>): Promise<Result<K>>;
  /** The same for the operation that tells of itself while it runs. */
  listen(
    onToken: (drawn: DrawnToken) => void,
    operation: 'sample',
    ...args: Parameters<Operations['sample']>
  ): Promise<Result<'sample'>>;
  stop(): Promise<void>;
  /** Whether it was stopped, or broke down; every call fails then. */
  ended(): boolean;
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
  listener: ((event: never) => void) | null;
}

function startThread(): Thread {
  const entry = import.meta.url.endsWith('.ts') ? './worker-from-source.mjs' : './worker.js';
  const worker = new Worker(new URL(entry, import.meta.url));
  worker.unref();
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  let ended: Error | null = null;
  const end = (error: Error) => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  worker.on('message', (reply: Reply) => {
    const call = waiting.get(reply.id);
    if ('event' in reply) {
      call?.listener?.(reply.event as never);
      return;
    }
    waiting.delete(reply.id);
    if (waiting.size === 0) worker.unref();
    if ('error' in reply) call?.reject(revive(reply.error));
    else call?.resolve(reply.value);
  });
  worker.on('error', end);
  worker.on('exit', (code) =>
    end(new RunError(`the engine's thread ended (exit code ${code}); it may have run out of memory`)),
  );
  const send = <T>(listener: Waiting['listener'], operation: keyof Operations, args: unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      if (ended) return reject(ended);
      worker.ref();
      waiting.set(++calls, { resolve: resolve as (value: unknown) => void, reject, listener });
      worker.postMessage({ id: calls, operation, args, events: listener !== null } satisfies Call);
    });
  return {
    call: (operation, ...args) => send(null, operation, args),
    listen: (onToken, operation, ...args) => send(onToken, operation, args),
    stop: async () => {
      end(new Error('this engine was disposed of'));
      await worker.terminate();
    },
    ended: () => ended !== null,
  };
}

function revive({ kind, message, stack, system }: Extract<Reply, { error: unknown }>['error']): Error {
  if (kind === 'input') return new InputError(message);
  if (kind === 'run') {
    const cause = system && Object.assign(new Error(message), system);
    return new RunError(message, { cause });
  }
  return Object.assign(new Error(message), { stack });
}

function proxy(thread: Thread, handle: number, capabilities: Capabilities, ownsThread: boolean): Engine {
  return {
    capabilities,
    sample: (prompts, { onToken, ...options }) =>
      onToken
        ? thread.listen(onToken, 'sample', handle, prompts, options)
        : thread.call('sample', handle, prompts, options),
    logprobs: (sequences, options = {}) => thread.call('logprobs', handle, sequences, options),
    async backward(sequences, weights: Weights) {
      if (typeof weights !== 'function') return thread.call('backward', handle, sequences, weights);
      const scored = await thread.call('logprobs', handle, sequences, {});
      return thread.call('backward', handle, sequences, weights(scored.map((s) => s.logprobs)));
    },
    step: (options) => thread.call('step', handle, options),
    async reference() {
      const made = await thread.call('reference', handle);
      return proxy(thread, made.handle, made.capabilities, false);
    },
    save: (dir, { optimizer = false } = {}) => thread.call('save', handle, dir, optimizer),
    load: (dir, { optimizer = false } = {}) => thread.call('load', handle, dir, optimizer),
    async dispose() {
      if (thread.ended()) return;
      await thread.call('dispose', handle);
      if (ownsThread) await thread.stop();
    },
  };
}
