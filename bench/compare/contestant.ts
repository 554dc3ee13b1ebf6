/** A benchmark program in a process of its own that measures what it is asked to (see ../side.ts). */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Measured } from '../timing.ts';

export interface Contestant {
  facts: Facts;
  measure(part: string): Promise<Measured>;
  close(): Promise<void>;
}

/** What a side says of itself. */
export interface Facts {
  threads: number;
  parameters: number;
  [key: string]: unknown;
}

/** One of our own programs. */
export function startOurs(script: string, args: string[]): Promise<Contestant> {
  return start(process.execPath, ['--import', 'tsx', script, ...args, '--serve']);
}

/** A program of peers/. */
export function startPeer(python: string, script: string, options: object): Promise<Contestant> {
  return start(python, [script, JSON.stringify({ ...options, serve: true })]);
}

/** Lines of what a program has complained about, shown when it breaks off. */
const COMPLAINT_LINES = 12;

async function start(command: string, args: string[]): Promise<Contestant> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (text) => {
    complaints = (complaints + text).slice(-10_000);
  });
  // a broken pipe is told by the end of the output
  child.stdin.on('error', () => {});
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
    child.on('error', (error) => {
      complaints += error.message;
      resolve();
    });
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (!done) return JSON.parse(value);
    await ended;
    const tail = complaints.trimEnd().split('\n').slice(-COMPLAINT_LINES).join('\n');
    throw new Error(`${command} ${args.join(' ')} ended:\n${tail}`);
  };
  const facts = (await answer()) as Facts;
  return {
    facts,
    async measure(part) {
      child.stdin.write(`${part}\n`);
      return (await answer()) as Measured;
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
