/** What can be compared: the programs of both sides, what they are asked for, and the table's lines with their targets. */
import { mkdtemp, rm } from 'node:fs/promises';
import os, { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Measured } from '../timing.ts';
import { type Contestant, type Facts, startOurs, startPeer } from './contestant.ts';
import type { Pair, Row } from './rounds.ts';

export interface StartOptions {
  python: string;
  /** Thread counts to try. */
  threads: number[];
  peerThreads: number[];
  /** Further options of the peer. */
  peer: object;
}

export interface Sides {
  ours: Contestant[];
  peers: Contestant[];
}

export interface Benchmark {
  title: string;
  peerName: string;
  sizes: string[];
  /** Thread counts that each side tries by default; the fastest counts. */
  threads: number[];
  pairs: Pair[];
  start(size: string, options: StartOptions): Promise<Sides>;
  /** `facts`: of one of ours. */
  rows(size: string, facts: Facts): Row[];
  /** A size's update: which line it is, how many GFLOP it takes, what share of the machine's rate it is to reach. */
  update?: { row: string; gflop: (peer: Facts) => number; target: (size: string) => number | null };
}

const file = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const same = (name: string): Pair => ({ name, ours: name, peer: name });
const cores = os.availableParallelism();

/** A pair as it was measured. */
const whole = (name: string): Pick<Row, 'seconds' | 'cpuSeconds'> => ({
  seconds: (pair) => pair(name).s,
  cpuSeconds: (pair) => pair(name).cpu_s,
});
const phase = (what: string, name: string, key: string): Row => ({
  what,
  seconds: (pair) => pair(name).detail![key] as number,
  target: null,
});

/** Starts one after the other; where one fails, those that have started are closed. */
async function startAll(starts: (() => Promise<Contestant>)[]): Promise<Contestant[]> {
  const started: Contestant[] = [];
  try {
    for (const start of starts) started.push(await start());
    return started;
  } catch (error) {
    for (const contestant of started) await contestant.close();
    throw error;
  }
}

const UPDATE = 'gradient, clipping, AdamW';

export const BENCHMARKS: Record<string, Benchmark> = {
  lm: {
    title: 'Scoring, update and sampling',
    peerName: 'PyTorch, transformers',
    sizes: ['XS', 'S', 'M'],
    threads: [cores],
    pairs: [
      ...['forward', 'backward', 'step', 'sample'].map(same),
      { name: 'loop', ours: 'sample', peer: 'loop' },
    ],
    async start(size, { python, threads, peerThreads, peer }) {
      const all = await startAll([
        ...threads.map((n) => () => startOurs(file('engine.ts'), [size, '--threads', String(n)])),
        ...peerThreads.map(
          (n) => () => startPeer(python, file('peers/torch_lm.py'), { name: size, ...peer, threads: n }),
        ),
      ]);
      return { ours: all.slice(0, threads.length), peers: all.slice(threads.length) };
    },
    rows: (size) => [
      { what: 'log-probabilities', ...whole('forward'), target: null },
      { what: 'gradient', ...whole('backward'), target: null },
      { what: UPDATE, ...whole('step'), target: 1.3 },
      { what: 'sampling (`generate`)', ...whole('sample'), target: size === 'M' ? null : 3 },
      { what: 'sampling (a plain loop)', ...whole('loop'), target: null },
    ],
    update: {
      row: UPDATE,
      // a gradient counts as three forward passes
      gflop: (peer) => 3 * (peer.forward_gflop as number),
      target: (size) => (size === 'M' ? 0.6 : null),
    },
  },
  grpo: {
    title: 'A GRPO step: 8 prompts × 8 samples × 64 tokens',
    peerName: 'TRL',
    sizes: ['XS', 'S'],
    threads: [cores],
    pairs: [same('step')],
    async start(size, { python, threads, peerThreads, peer }) {
      const peers = await startAll(
        peerThreads.map(
          (n) => () => startPeer(python, file('peers/trl_grpo.py'), { name: size, ...peer, threads: n }),
        ),
      );
      // its chat template says how long a prompt is
      const prompt = String(peers[0].facts.prompt_tokens);
      try {
        const ours = await startAll(
          threads.map(
            (n) => () => startOurs(file('grpo.ts'), [size, '--threads', String(n), '--prompt', prompt]),
          ),
        );
        return { ours, peers };
      } catch (error) {
        for (const contestant of peers) await contestant.close();
        throw error;
      }
    },
    rows: () => [
      { what: 'GRPO step', ...whole('step'), target: 2 },
      phase('– sampling', 'step', 'sample_s'),
      phase('– update', 'step', 'update_s'),
    ],
  },
  world: {
    title: "The quickstart's stages",
    peerName: 'PyTorch, by hand',
    sizes: ['quickstart'],
    threads: [...new Set([1, cores])],
    pairs: ['captions', 'lookups', 'listings', 'mixed', 'trm', 'rl', 'evaluate'].map(same),
    async start(_size, { python, threads, peerThreads, peer }) {
      const dir = await mkdtemp(join(tmpdir(), 'sophia-compare-'));
      const batches = join(dir, 'batches.json');
      try {
        const all = await startAll([
          ...threads.map(
            (n) => () => startOurs(file('world.ts'), ['--threads', String(n), '--batches', batches]),
          ),
          ...peerThreads.map(
            (n) => () => startPeer(python, file('peers/world_stages.py'), { batches, ...peer, threads: n }),
          ),
        ]);
        return { ours: all.slice(0, threads.length), peers: all.slice(threads.length) };
      } finally {
        // the peers have read it by now
        await rm(dir, { recursive: true, force: true });
      }
    },
    rows: (_size, facts) => {
      const shares = Object.entries(facts.shares as Record<string, number>);
      const mean = (value: (m: Measured) => number) => (pair: (name: string) => Measured) =>
        shares.reduce((sum, [kind, share]) => sum + share * value(pair(kind)), 0);
      return [
        { what: 'cold-start step', seconds: mean((m) => m.s), cpuSeconds: mean((m) => m.cpu_s), target: 1.5 },
        ...shares.map(([kind]): Row => ({ what: `– ${kind}`, ...whole(kind), target: null })),
        { what: 'TRM step', ...whole('trm'), target: 1.5 },
        { what: 'RL step', ...whole('rl'), target: 1.5 },
        phase('– sampling', 'rl', 'sample_s'),
        phase('– judging', 'rl', 'judge_s'),
        phase('– update', 'rl', 'update_s'),
        { what: `evaluation of ${facts.questions} questions`, ...whole('evaluate'), target: 1.5 },
      ];
    },
  },
};
