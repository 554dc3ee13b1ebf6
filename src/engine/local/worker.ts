/** Entry of the engine's worker thread: takes calls one after another, so that gradients add up in a fixed order. */
import { parentPort } from 'node:worker_threads';
import { InputError, RunError } from '../../errors.ts';
import { OPERATIONS } from './host.ts';

export interface Call {
  id: number;
  operation: keyof typeof OPERATIONS;
  args: unknown[];
  /** Whether the caller wants to hear of the operation while it runs. */
  events: boolean;
}

/** The system's part in an error, such as ENOSPC from `write`. */
export type SystemError = Pick<NodeJS.ErrnoException, 'code' | 'syscall'>;

export type Reply = { id: number } & (
  | { event: unknown }
  | { value: unknown }
  | { error: { kind: 'input' | 'run' | 'other'; message: string; stack?: string; system?: SystemError } }
);

let queue: Promise<void> = Promise.resolve();
parentPort!.on('message', (call: Call) => {
  queue = queue.then(() => answer(call));
});

async function answer({ id, operation, args, events }: Call): Promise<void> {
  let reply: Reply;
  try {
    const run = OPERATIONS[operation] as (...args: unknown[]) => Promise<unknown>;
    const tell = (event: unknown) => parentPort!.postMessage({ id, event } satisfies Reply);
    reply = { id, value: await run(...args, ...(events ? [tell] : [])) };
  } catch (error) {
    const { message, stack, cause } = error as Error;
    const { code, syscall } = (cause ?? {}) as SystemError;
    const kind =
      error instanceof InputError
        ? 'input'
        : error instanceof RunError || 'code' in (error as object)
          ? 'run'
          : 'other';
    reply = { id, error: { kind, message, stack, ...(code ? { system: { code, syscall } } : {}) } };
  }
  parentPort!.postMessage(reply);
}
