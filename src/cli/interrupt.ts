/** Ctrl-C and a polite kill, for commands that save what they are doing before they end. */
import { endBy } from './end-by.ts';

export interface Interrupt {
  /** Aborted by the first; the second ends the process. */
  signal: AbortSignal;
  stop(): void;
}

export function onInterrupt(): Interrupt {
  const interrupt = new AbortController();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const listener = (signal: 'SIGINT' | 'SIGTERM') => {
    if (interrupt.signal.aborted) return endBy(signal);
    process.stderr.write('\ninterrupted: saving after this step (again to stop at once)\n');
    interrupt.abort();
  };
  for (const signal of signals) process.on(signal, listener);
  return {
    signal: interrupt.signal,
    stop() {
      for (const signal of signals) process.off(signal, listener);
    },
  };
}
