/** A run is a function of its recipe: run again, killed anywhere and gone on with, it gives the same to the last bit. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recipeFile } from './recipes.ts';
import { leftovers, lines, names, once, type Running, resultOf, sophia, workFolder } from './sophia.ts';

const { dir, remove } = workFolder();
let recipe: string;
let expected: Record<string, string>;
const run = (name: string) => join(dir, name);

beforeAll(async () => {
  recipe = recipeFile(dir);
  const ended = await sophia(['train', recipe, '--run', run('whole')]);
  expect(ended.code, ended.stderr).toBe(0);
  expected = resultOf(run('whole'));
});
afterAll(remove);

describe.concurrent('the same recipe', () => {
  it('gives the same metrics, rollouts, weights and scores again', async ({ expect }) => {
    const ended = await sophia(['train', recipe, '--run', run('again')]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(resultOf(run('again'))).toEqual(expected);
    // what is compared is all there: four stages with metrics, their weights, two variants' rollouts
    const kinds = (pattern: RegExp) => Object.keys(expected).filter((file) => pattern.test(file)).length;
    expect(kinds(/metrics\.jsonl$/)).toBe(4);
    expect(kinds(/checkpoints\/.*model\.safetensors$/)).toBe(4);
    expect(kinds(/rollouts\//)).toBe(12);
    expect(kinds(/scores\.json$/)).toBe(6);
    expect(kinds(/data\/images\/.*png$/)).toBeGreaterThan(60);
  });

  it('gives other ones with another seed', async ({ expect }) => {
    const ended = await sophia(['train', recipe, '--seed', '1', '--run', run('other')]);
    expect(ended.code, ended.stderr).toBe(0);
    const other = resultOf(run('other'));
    // the names of pictures too: which questions have one is drawn
    const both = Object.keys(expected).filter((file) => file in other && !/images|start\/eval/.test(file));
    expect(both.length).toBeGreaterThan(40);
    const same = both.filter((file) => other[file] === expected[file]);
    expect(same).toEqual([]);
  });
});

const stages = ['cold-start', 'trm', 'grpo', '.'];
/** Whether a checkpoint stands there half-written. */
const saving = (folder: string) => names(folder).some((name) => /^\.\d{6}\.tmp-/.test(name));

/** Killed as soon as `when` holds of the run folder, then gone on with. */
const kills: [moment: string, when: (dir: string, running: Running) => boolean][] = [
  [
    'while the world is drawn',
    (at) => names(join(at, 'data')).some((name) => name.startsWith('.images.tmp')),
  ],
  [
    'in the cold start, before its first checkpoint',
    (at) => lines(join(at, 'cold-start/metrics.jsonl')) > 10,
  ],
  ['in the cold start, past a checkpoint', (at) => lines(join(at, 'cold-start/metrics.jsonl')) > 70],
  ['while a checkpoint is saved', (at) => stages.some((stage) => saving(join(at, stage, 'checkpoints')))],
  ['while responses for the TRM are collected', (_, { stderr }) => stderr().includes('trm: responses: ')],
  ['in the TRM’s training', (at) => lines(join(at, 'trm/metrics.jsonl')) > 6],
  ['in the main variant’s reinforcement', (at) => lines(join(at, 'metrics.jsonl')) > 2],
  ['in a baseline’s reinforcement', (at) => lines(join(at, 'grpo/metrics.jsonl')) > 4],
  ['in an evaluation', (_, { stderr }) => stderr().includes('evaluate trust-grpo: ')],
];

describe.concurrent('killed without warning', () => {
  it.for(kills)('%s, it goes on as if it had not been', async ([moment, when], { expect }) => {
    const at = run(moment.replaceAll(/\W+/g, '-'));
    const killed = await sophia(['train', recipe, '--run', at], {
      watch: once((running) => when(at, running), 'SIGKILL'),
    });
    expect(killed.signal, `it was to be killed ${moment}:\n${killed.stderr}`).toBe('SIGKILL');
    const ended = await sophia(['train', '--run', at, '--resume']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(resultOf(at)).toEqual(expected);
    expect(leftovers(at)).toEqual([]);
  });

  it('again and again, it comes to the same end', async () => {
    const at = run('often');
    let restarts = 0;
    for (let patienceMs = 1000; ; patienceMs += 500) {
      const until = performance.now() + patienceMs;
      const args = restarts === 0 ? [recipe, '--run', at] : ['--run', at, '--resume'];
      const ended = await sophia(['train', ...args], {
        watch: once(() => performance.now() > until, 'SIGKILL'),
      });
      if (ended.signal === null) {
        expect(ended.code, ended.stderr).toBe(0);
        break;
      }
      // killed before it wrote its recipe: nothing to go on with yet
      if (names(at).includes('recipe.yaml')) restarts++;
    }
    expect(restarts).toBeGreaterThan(2);
    expect(resultOf(at)).toEqual(expected);
    expect(leftovers(at)).toEqual([]);
  });
});

describe('a finished run', () => {
  it('gone on with, prints its table again and changes nothing', async () => {
    const first = resultOf(run('whole'));
    const ended = await sophia(['train', '--run', run('whole'), '--resume']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toContain('Trust-GRPO');
    expect(resultOf(run('whole'))).toEqual(first);
  });
});
