/**
 * Looks at a call of the local engine from outside: is the main thread free meanwhile, and how does the engine's worker
 * thread divide its time between sessions and JavaScript? The latter by V8's sampling profiler, reached over Node's
 * inspector: everything below a frame of onnxruntime-node is a session at work.
 */
import { Session } from 'node:inspector';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { round } from './timing.ts';

export interface Watched {
  s: number;
  /** Longest time for which the main thread could not have answered. */
  main_longest_delay_ms: number;
  /** Share of the time in which the main thread was at work. */
  main_busy: number;
  /** Shares of the time in which the worker threads of the engines were at work. */
  worker: { sessions: number; javascript: number; garbage: number };
  /** The workers' dearest JavaScript functions: seconds by name. */
  dearest: Record<string, number>;
}

const DELAY_RESOLUTION_MS = 1;
const SAMPLING_US = 500;
const DEAREST = 8;

/** Runs the work twice: once for the main thread's sake, undisturbed, and once with the profiler on. */
export async function watched(work: () => Promise<unknown>): Promise<Watched> {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  const before = performance.eventLoopUtilization();
  const start = performance.now();
  await work();
  const s = (performance.now() - start) / 1000;
  const { utilization } = performance.eventLoopUtilization(before);
  delay.disable();
  // the timer it measures with is due every millisecond: that much is no delay
  const longest = Math.max(0, delay.max / 1e6 - DELAY_RESOLUTION_MS);
  return {
    s: round(s),
    main_longest_delay_ms: round(longest),
    main_busy: round(utilization),
    ...shares(await profileWorkers(work)),
  };
}

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

/** Profiles of the worker threads that run a file; the others are Node's own. */
async function profileWorkers(work: () => Promise<unknown>): Promise<Profile[]> {
  const session = new Session();
  session.connect();
  const workers: string[] = [];
  let calls = 0;
  const waiting = new Map<number, (result: unknown) => void>();
  session.on('NodeWorker.attachedToWorker', ({ params }) => {
    if (params.workerInfo.url.startsWith('file:')) workers.push(params.sessionId);
  });
  session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
    const { id, result } = JSON.parse(params.message);
    waiting.get(id)?.(result);
  });
  const ask = (method: string, params = {}) =>
    Promise.all(
      workers.map(
        (sessionId) =>
          new Promise<unknown>((resolve) => {
            waiting.set(++calls, resolve);
            const message = JSON.stringify({ id: calls, method, params });
            session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
          }),
      ),
    );
  // waiting for an inspector keeps no process alive
  const alive = setInterval(() => {}, 1000);
  try {
    // workers that run are attached before this is answered
    await new Promise<void>((resolve) => {
      session.post('NodeWorker.enable', { waitForDebuggerOnStart: false }, () => resolve());
    });
    await ask('Profiler.enable');
    await ask('Profiler.setSamplingInterval', { interval: SAMPLING_US });
    await ask('Profiler.start');
    await work();
    const stopped = (await ask('Profiler.stop')) as { profile: Profile }[];
    return stopped.map(({ profile }) => profile);
  } finally {
    clearInterval(alive);
    session.disconnect();
  }
}

function shares(profiles: Profile[]): Pick<Watched, 'worker' | 'dearest'> {
  const sums = { sessions: 0, javascript: 0, garbage: 0 };
  const functions = new Map<string, number>();
  for (const profile of profiles) addUp(profile, sums, functions);
  const total = sums.sessions + sums.javascript + sums.garbage;
  const dearest = [...functions].sort((a, b) => b[1] - a[1]).slice(0, DEAREST);
  return {
    worker: {
      sessions: round(sums.sessions / total),
      javascript: round(sums.javascript / total),
      garbage: round(sums.garbage / total),
    },
    dearest: Object.fromEntries(dearest.map(([name, us]) => [name, round(us / 1e6)])),
  };
}

/** Adds a profile's microseconds to what they were spent on, and to the JavaScript functions. */
function addUp(
  { nodes, samples, timeDeltas }: Profile,
  sums: Watched['worker'],
  functions: Map<string, number>,
): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const inSession = new Set<number>();
  // parents stand before their children
  for (const { id, callFrame, children = [] } of nodes)
    if (inSession.has(id) || callFrame.url.includes('onnxruntime-node'))
      for (const node of [id, ...children]) inSession.add(node);

  samples.forEach((id, i) => {
    const us = Math.max(0, timeDeltas[i]);
    const { functionName, url } = byId.get(id)!.callFrame;
    if (functionName === '(idle)') return;
    if (inSession.has(id)) sums.sessions += us;
    else if (functionName === '(garbage collector)') sums.garbage += us;
    else {
      sums.javascript += us;
      const name = `${functionName || '(anonymous)'} ${url.split('/').at(-1)}`.trim();
      functions.set(name, (functions.get(name) ?? 0) + us);
    }
  });
}
