/** A worker thread of the local engine, and calls to it. */
import { Worker } from 'node:worker_threads';
import { InputError, RunError } from '../../errors.ts';
import type { DrawnToken } from '../types.ts';
import type { OPERATIONS } from './host.ts';
import type { Call, Reply } from './worker.ts';

export type Operations = typeof OPERATIONS;
export type Result<K extends keyof Operations> = Awaited<ReturnType<Operations[K]>>;

export interface Thread {
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

export function startThread(): Thread {
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
