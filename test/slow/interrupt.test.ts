/** Ctrl-C and a polite kill: what is under way is saved, and the command that goes on is said. */
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { recipeFile } from './recipes.ts';
import {
  leftovers,
  lines,
  names,
  type Options,
  once,
  type Running,
  resultOf,
  sophia,
  workFolder,
} from './sophia.ts';

const { dir, remove } = workFolder();
const recipe = recipeFile(dir);
const run = (name: string) => join(dir, name);
afterAll(remove);

const inTheColdStart = (at: string) => () => lines(join(at, 'cold-start/metrics.jsonl')) > 5;
/** Both chains are at work: one on the TRM or the main variant, one on the baseline. */
const inBothChains = (at: string) => () =>
  lines(join(at, 'trm/metrics.jsonl')) > 2 && lines(join(at, 'grpo/metrics.jsonl')) > 0;

describe.concurrent('interrupted', () => {
  it('in the cold start, it saves, exits with 130 and says how to go on; that comes to the same end', async ({
    expect,
  }) => {
    const whole = await sophia(['train', recipe, '--run', run('whole')]);
    expect(whole.code, whole.stderr).toBe(0);

    const at = run('cold');
    const ended = await sophia(['train', recipe, '--run', at], {
      watch: once(inTheColdStart(at), 'SIGINT'),
    });
    expect(ended.code, ended.stderr).toBe(130);
    expect(ended.stdout).toBe('');
    const told =
      /cold-start is saved at step (\d+) of 94\. Go on with: npx sophia (train --run \S+ --resume)\n$/;
    const [, step, command] = told.exec(ended.stderr)!;
    expect(names(join(at, 'cold-start/checkpoints')).at(-1)).toBe(step.padStart(6, '0'));
    expect(lines(join(at, 'cold-start/metrics.jsonl'))).toBe(Number(step));

    const resumed = await sophia(command.split(' '));
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resultOf(at)).toEqual(resultOf(run('whole')));
  });

  it('while two chains train, both stop, promptly, and both can go on', async ({ expect }) => {
    const at = run('both');
    const ended = await sophia(['train', recipe, '--run', at], { watch: once(inBothChains(at), 'SIGINT') });
    expect(ended.code, ended.stderr).toBe(130);
    expect(ended.afterSignalMs!).toBeLessThan(5000);
    const saved = (stage: string) => names(join(at, stage, 'checkpoints')).length;
    // each stage that has logged a step has saved it
    for (const stage of ['trm', 'grpo']) expect(saved(stage), stage).toBeGreaterThan(0);
    const resumed = await sophia(['train', '--run', at, '--resume']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(leftovers(at)).toEqual([]);
  });

  it('by SIGTERM, it does the same', async ({ expect }) => {
    const at = run('term');
    const ended = await sophia(['train', recipe, '--run', at], {
      watch: once(inTheColdStart(at), 'SIGTERM'),
    });
    expect(ended.code, ended.stderr).toBe(130);
    expect(ended.stderr).toContain('Go on with: npx sophia train --run');
  });

  it('while the world is drawn, it stops at once and draws it anew when gone on with', async ({ expect }) => {
    const at = run('world');
    const drawing = ({ stderr }: Running) => stderr().includes('world: ');
    const ended = await sophia(['train', recipe, '--set', 'world.pictures=500', '--run', at], {
      watch: once(drawing, 'SIGINT'),
    });
    expect(ended.code, ended.stderr).toBe(130);
    expect(names(join(at, 'data'))).toEqual([]);
    expect(leftovers(at)).toEqual([]);
  });

  it('a second time, it exits at once without waiting for the save', async ({ expect }) => {
    const at = run('twice');
    let first = 0;
    const twice: Options['watch'] = (running) => {
      if (first === 0 && inTheColdStart(at)()) {
        first = performance.now();
        running.kill('SIGINT');
      } else if (first > 0 && running.stderr().includes('again to stop at once')) running.kill('SIGINT');
    };
    const ended = await sophia(['train', recipe, '--run', at], { watch: twice });
    // by the signal itself, which a shell calls 130; or it had saved and ended already
    expect(ended.signal === 'SIGINT' ? 130 : ended.code, ended.stderr).toBe(130);
    expect(ended.afterSignalMs!).toBeLessThan(1000);
    const resumed = await sophia(['train', '--run', at, '--resume', '--json']);
    expect(resumed.code, resumed.stderr).toBe(0);
  });
});
