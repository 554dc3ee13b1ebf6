import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createProgress } from '../../src/cli/progress.ts';

/** A stream that keeps what is written, and a clock that goes when told. */
function scene(isTTY: boolean) {
  let atMs = 0;
  const written: string[] = [];
  const stream = Object.assign(new EventEmitter(), {
    isTTY,
    columns: 100,
    write: (text: string) => {
      written.push(text);
      return true;
    },
  }) as unknown as NodeJS.WriteStream;
  const progress = createProgress({ stream, now: () => atMs });
  return { progress, text: () => written.join(''), wait: (seconds: number) => (atMs += 1000 * seconds) };
}

describe('progress where there is no terminal', () => {
  it('is a plain line at the start, every ten seconds and at the end', () => {
    const { progress, text, wait } = scene(false);
    progress.start('cold start', 100);
    for (let step = 1; step <= 100; step++) {
      wait(0.25);
      progress.update('cold start', step, { loss: 2 / step });
    }
    progress.finish('cold start', 'loss 0.02');
    expect(text()).toBe(
      [
        'cold start: 100 to do',
        'cold start: 40/100 (40 %) · 0:10 so far · ETA 0:15 · loss 0.05',
        'cold start: 80/100 (80 %) · 0:20 so far · ETA 0:05 · loss 0.03',
        'cold start done in 0:25: loss 0.02',
        '',
      ].join('\n'),
    );
  });

  it('tells two stages at once apart', () => {
    const { progress, text, wait } = scene(false);
    progress.start('GRPO', 10);
    progress.start('Trust-GRPO', 10);
    wait(11);
    progress.update('GRPO', 5, {});
    progress.update('Trust-GRPO', 1, { γ: 0.95, judge: 'checkpoint' });
    progress.finish('GRPO');
    expect(text()).toContain('GRPO: 5/10 (50 %) · 0:11 so far · ETA 0:11\n');
    expect(text()).toContain(
      'Trust-GRPO: 1/10 (10 %) · 0:11 so far · ETA 1:39 · γ 0.95 · judge checkpoint\n',
    );
    expect(text()).toContain('GRPO done in 0:11\n');
  });

  it('does not count the steps before a resume into the ETA', () => {
    const { progress, text, wait } = scene(false);
    progress.start('GRPO', 60, 40);
    wait(10);
    progress.update('GRPO', 50);
    expect(text()).toBe('GRPO: 60 to do, going on from 40\nGRPO: 50/60 (83 %) · 0:10 so far · ETA 0:10\n');
  });

  it('estimates from the latest speed', () => {
    const { progress, text, wait } = scene(false);
    progress.start('cold start', 1000);
    for (let step = 1; step <= 900; step++) {
      wait(step <= 800 ? 0.01 : 1);
      progress.update('cold start', step);
    }
    expect(text()).toContain('892/1000 (89 %) · 1:40 so far · ETA 1:48');
  });

  it('ignores stages it does not know', () => {
    const { progress, text } = scene(false);
    progress.update('nothing', 1);
    progress.finish('nothing');
    expect(text()).toBe('');
  });
});

describe('progress in a terminal', () => {
  it('redraws its lines and leaves the summary', async () => {
    const { progress, text, wait } = scene(true);
    progress.start('GRPO', 10);
    progress.start('Trust-GRPO', 20);
    wait(5);
    progress.update('GRPO', 5, { accuracy: 0.5 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(text()).toContain('GRPO        ██████████░░░░░░░░░░  5/10  ETA 0:05  accuracy 0.50');
    progress.finish('GRPO', 'accuracy 0.80');
    progress.finish('Trust-GRPO', 'accuracy 0.61');
    expect(text()).toContain('✓ GRPO done in 0:05: accuracy 0.80\n');
    expect(text().endsWith('✓ Trust-GRPO done in 0:05: accuracy 0.61\n')).toBe(true);
  });

  it('lets go of the terminal and of the process when stopped half-way', () => {
    const listeners = process.listenerCount('SIGINT');
    const { progress, text } = scene(true);
    progress.start('GRPO', 10);
    progress.stop();
    const before = text();
    progress.update('GRPO', 3);
    expect(text()).toBe(before);
    expect(process.listenerCount('SIGINT')).toBe(listeners);
  });
});
