/** Programs that end by a signal while the engine computes, or whose reader goes away. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const endBy = new URL('../../src/cli/end-by.ts', import.meta.url).href;

describe('ending by a signal', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGPIPE'])(
    '%s: at once, whatever listeners and threads there are',
    async (signal) => {
      const program = `
      import { Worker } from 'node:worker_threads';
      const { endBy } = await import(${JSON.stringify(endBy)});
      process.on(${JSON.stringify(signal)}, () => console.log('heard'));
      const worker = new Worker('for (;;);', { eval: true });
      worker.once('online', () => { endBy(${JSON.stringify(signal)}); console.log('still here'); });`;
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
      });
      let output = '';
      child.stdout.on('data', (text) => (output += text));
      child.stderr.on('data', (text) => (output += text));
      const [code, ended] = await once(child, 'close');
      expect(output).toBe('');
      expect([code, ended]).toEqual([null, signal]);
    },
  );
});
