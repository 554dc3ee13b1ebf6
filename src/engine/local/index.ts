/**
 * The local engine: ONNX Runtime in worker threads of its own, so that a long backward pass does not hold up judge
 * calls, deadlines, Ctrl-C or progress in the main thread.
 *
 * A model that is small against the machine runs in several lanes: threads that each have the weights and compute their
 * share of every batch (the runtime's own threads, which share every single operator, lose more to waiting for one
 * another than small operators take). Gradients are added up in the order of the lanes, so a lane count gives the same
 * numbers every time.
 */
import type { Capabilities, Engine, StepOptions, Weights } from '../types.ts';
import { deal, sequenceCosts } from './deal.ts';
import { giveBack, takeThread } from './device-thread.ts';
import type { LocalOptions } from './host.ts';
import { type Result, startThread, type Thread } from './thread.ts';

/** The lanes of one model: a thread, and the model's handle there. */
type Lane = { thread: Thread; handle: number };

/** Starts an engine. Throws InputError where the folder is not a whole Qwen2.5-VL checkpoint. */
export async function createLocalEngine(options: LocalOptions): Promise<Engine> {
  const threads = [takeThread(options.provider)];
  try {
    const first = await threads[0].call('create', options);
    const lanes: Lane[] = [{ thread: threads[0], handle: first.handle }];
    if (first.lanes > 1) {
      const snapshot = await threads[0].call('snapshot', first.handle);
      while (threads.length < first.lanes) {
        const thread = startThread();
        threads.push(thread);
        lanes.push({ thread, handle: await thread.call('join', snapshot, first.lane) });
      }
      await meet(lanes);
    }
    return proxy(lanes, first.capabilities, true);
  } catch (error) {
    await Promise.all(threads.map(giveBack));
    throw error;
  }
}

/** Shows every lane the gradients of all. */
async function meet(lanes: readonly Lane[]): Promise<void> {
  const gradients = await everywhere(lanes, ({ thread, handle }) => thread.call('gradients', handle));
  await everywhere(lanes, ({ thread, handle }, lane) => thread.call('meet', handle, lane, gradients));
}

/** Does the same on every lane at once. */
function everywhere<T>(
  lanes: readonly Lane[],
  work: (lane: Lane, index: number) => Promise<T>,
): Promise<T[]> {
  return Promise.all(lanes.map(work));
}

function proxy(lanes: readonly Lane[], capabilities: Capabilities, ownsThreads: boolean): Engine {
  /** Runs consecutive shares of `items` on the lanes; the results in the order of the items. */
  const shared = async <T, R>(
    items: readonly T[],
    costs: readonly number[],
    work: (lane: Lane, share: T[], from: number) => Promise<R[]>,
  ): Promise<R[]> => {
    const shares = deal(costs, lanes.length);
    const results = await everywhere(lanes, (lane, i) => {
      const [from, to] = shares[i];
      return from < to || (i === 0 && items.length === 0)
        ? work(lane, items.slice(from, to), from)
        : Promise.resolve([]);
    });
    return results.flat();
  };
  const logprobs: Engine['logprobs'] = (sequences, options = {}) =>
    shared(sequences, sequenceCosts(sequences), ({ thread, handle }, share) =>
      thread.call('logprobs', handle, share, options),
    );
  const references: Engine[] = [];
  let disposed = false;
  const engine: Omit<Engine, 'capabilities' | 'dispose'> = {
    sample: (prompts, { onToken, ...options }) =>
      shared(
        prompts,
        prompts.map(() => 1),
        ({ thread, handle }, share, from) => {
          const keys = share.map((_, i) => options.keys?.[from + i] ?? from + i);
          const args = [handle, share, { ...options, keys }] as const;
          if (!onToken) return thread.call('sample', ...args);
          return thread.listen(
            (drawn) => onToken({ ...drawn, prompt: from + drawn.prompt }),
            'sample',
            ...args,
          );
        },
      ),
    logprobs,
    async backward(sequences, weights: Weights) {
      const given =
        typeof weights === 'function' ? weights((await logprobs(sequences)).map((s) => s.logprobs)) : weights;
      if (given.length !== sequences.length)
        throw new Error(`${sequences.length} sequences, but weights for ${given.length}`);
      return shared(sequences, sequenceCosts(sequences), ({ thread, handle }, share, from) =>
        thread.call('backward', handle, share, given.slice(from, from + share.length)),
      );
    },
    async step(options) {
      if (lanes.length === 1) return lanes[0].thread.call('step', lanes[0].handle, options);
      return stepTogether(lanes, options);
    },
    async reference() {
      const of = await everywhere(lanes, async ({ thread, handle }) => ({
        thread,
        handle: await thread.call('reference', handle),
      }));
      const reference = proxy(of, { ...capabilities, train: false }, false);
      references.push(reference);
      return reference;
    },
    save: (dir, { optimizer = false } = {}) => lanes[0].thread.call('save', lanes[0].handle, dir, optimizer),
    async load(dir, { optimizer = false } = {}) {
      const [{ thread, handle }, ...others] = lanes;
      await thread.call('load', handle, dir, optimizer);
      if (others.length === 0) return;
      const snapshot = await thread.call('snapshot', handle);
      await everywhere(others, (lane) => lane.thread.call('adoptAll', lane.handle, snapshot));
    },
  };
  const inTurn = queue();
  return {
    capabilities,
    sample: (...args) => inTurn(() => engine.sample(...args)),
    logprobs: (...args) => inTurn(() => engine.logprobs(...args)),
    backward: (...args) => inTurn(() => engine.backward(...args)),
    step: (...args) => inTurn(() => engine.step(...args)),
    reference: () => inTurn(() => engine.reference()),
    save: (...args) => inTurn(() => engine.save(...args)),
    load: (...args) => inTurn(() => engine.load(...args)),
    async dispose() {
      if (disposed) return;
      disposed = true;
      if (lanes.every(({ thread }) => !thread.ended())) {
        for (const reference of references) await reference.dispose();
        await everywhere(lanes, ({ thread, handle }) => thread.call('dispose', handle));
      }
      if (ownsThreads) await everywhere(lanes, ({ thread }) => giveBack(thread));
    },
  };
}

/** Runs pieces of work one after another: nothing may fall between the parts of a step that several lanes make. */
function queue() {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work);
    last = next.catch(() => {});
    return next;
  };
}

/** One AdamW step: each lane adds up, and then moves, its own part of the parameters, and takes over the others'. */
async function stepTogether(lanes: readonly Lane[], options: StepOptions): Promise<Result<'step'>> {
  const squares = await everywhere(lanes, ({ thread, handle }) => thread.call('reduce', handle));
  const gradNorm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
  const applied = Number.isFinite(gradNorm);
  if (applied) {
    await everywhere(lanes, ({ thread, handle }) => thread.call('move', handle, options, gradNorm));
    await everywhere(lanes, ({ thread, handle }) => thread.call('adopt', handle));
  }
  await everywhere(lanes, ({ thread, handle }) => thread.call('clear', handle));
  return { gradNorm, applied };
}
