/** The misbehaving judge of judge-server.mjs as a process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A call as the server saw it. */
export interface Call {
  /** Milliseconds of the clock. */
  at: number;
  /** When it was answered, or left. */
  doneAt: number;
  /** At this prompt, from 0 on. */
  attempt: number;
  /** What it was answered with. */
  action: string;
  /** Calls under way, this one among them. */
  running: number;
  headers: Record<string, string>;
  body: {
    model: string;
    messages: {
      role: string;
      content: string | { type: string; text?: string; image_url?: { url: string } }[];
    }[];
    [setting: string]: unknown;
  };
  /** Of the prompt. */
  text: string;
  /** Whether the caller hung up before it was answered. */
  gone: boolean;
}

/** judge-server.mjs says what the keys mean. */
export interface Plan {
  rules?: { has: string; does: string[] }[];
  failures?: number;
  kinds?: string[];
  times?: number;
  seed?: number;
  retryAfter?: number | string | { date: number };
  delayMs?: number;
  location?: string;
  logprobs?: { content: string; tokens: unknown[] };
}

export interface JudgeServer {
  /** Ends in /v1. */
  url: string;
  /** Behaves so from now on; counts attempts anew. */
  plan(plan: Plan): Promise<void>;
  log(): Promise<Call[]>;
  /** Forgets log and attempts. */
  forget(): Promise<void>;
  stop(): Promise<void>;
}

export async function startJudgeServer(plan: Plan = {}): Promise<JudgeServer> {
  const program = fileURLToPath(new URL('./judge-server.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(plan)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  const root = `http://127.0.0.1:${JSON.parse(String(line)).port}`;
  const ask = (method: string, path: string, body?: unknown) =>
    fetch(`${root}${path}`, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  return {
    url: `${root}/v1`,
    plan: async (next) => void (await ask('PUT', '/plan', next)),
    log: async () => (await ask('GET', '/log')).json() as Promise<Call[]>,
    forget: async () => void (await ask('DELETE', '/log')),
    async stop() {
      const closed = once(child, 'close');
      child.kill();
      await closed;
    },
  };
}
