/**
 * The thread of engines on a device. All of a process share one: they share the runtime's device context, which takes no
 * two callers at once (ONNX Runtime 1.30).
 */
import { onDevice } from './on-device.ts';
import { startThread, type Thread } from './thread.ts';

let shared: { thread: Thread; engines: number } | null = null;

/** A thread for an engine: on a device the one that all have, else its own. To be given back. */
export function takeThread(provider: string): Thread {
  if (!onDevice(provider)) return startThread();
  if (!shared || shared.thread.ended()) shared = { thread: startThread(), engines: 0 };
  shared.engines++;
  return shared.thread;
}

/** Stops the thread, where no other engine has it. */
export async function giveBack(thread: Thread): Promise<void> {
  if (thread === shared?.thread) {
    if (--shared.engines > 0) return;
    shared = null;
  }
  await thread.stop();
}
