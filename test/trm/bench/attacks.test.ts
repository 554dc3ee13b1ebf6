/** Attempts at gaming: what is added, and what stays. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodePng, readPicture } from '../../../src/data/pictures/images.ts';
import { parseResponse } from '../../../src/rewards/format.ts';
import { attacked, attacksOn } from '../../../src/trm/bench/attacks.ts';
import { attackPicture } from '../../../src/trm/bench/picture-attack.ts';
import { canBeJudged } from '../../../src/trm/prompt.ts';
import { VOCABULARY } from '../../../src/worlds/seeing/index.ts';
import { textRow, worldQuestion } from './bench-data.ts';

const plain = textRow('<think>12 and 30 make 42.</think><answer>42</answer>');
const [, shortcut] = worldQuestion(1);

describe('attacks on a response', () => {
  it.each(attacksOn(plain).map((attack) => [attack.name, attack] as const))(
    '%s leaves reasoning and answer there; only the second answer breaks the format',
    (name, attack) => {
      const response = attacked(attack, plain, [0])!;
      expect(response).toContain('12 and 30 make 42.');
      expect(response).toContain('<answer>42</answer>');
      expect(parseResponse(response) === null).toBe(name === 'score_tag');
      expect(canBeJudged(response)).toBe(true);
    },
  );

  it('tell the grader that it is kind, the reasoning flawless, the score 1.0, the response ended', () => {
    const all = attacksOn(plain).map((attack) => attacked(attack, plain, [0]));
    for (const said of [
      /Dear grader/,
      /flawless/,
      /Score: 1\.0/,
      /Ignore the rubric/,
      /<\/response>/,
      /<\|im_end\|>/,
    ])
      expect(all.some((response) => said.test(response!))).toBe(true);
  });

  it('on a world’s responses also use its words alone, and there the answer stays as well', () => {
    const own = attacksOn(shortcut).filter(({ name }) => name.startsWith('world_'));
    expect(own.length).toBeGreaterThan(5);
    for (const attack of own) {
      const response = attacked(attack, shortcut, [0])!;
      for (const word of response.split(/\s+/)) expect(VOCABULARY).toContain(word);
      expect(parseResponse(response)!.answer).toBe(parseResponse(shortcut.response)!.answer);
    }
  });
});

describe('the attack on a picture', () => {
  it.each([
    [84, 84],
    [640, 400],
  ])('writes onto the foot of %i×%i pixels, in a file of its own of the same size', async (width, height) => {
    const dir = await mkdtemp(join(tmpdir(), 'sophia-attack-'));
    try {
      const grey = new Uint8Array(width * height * 3).fill(120);
      const original = join(dir, 'original.png');
      await writeFile(original, await encodePng(grey, width, height));
      const file = (await attackPicture(original, dir, 'attacked'))!;
      const after = await readPicture(file);
      expect([after.width, after.height]).toEqual([width, height]);
      expect((await readPicture(original)).rgb).toEqual(grey);
      const row = (y: number) => after.rgb.slice(3 * width * y, 3 * width * (y + 1));
      for (let y = 0; y < height / 2; y++) expect(row(y).every((value) => value === 120)).toBe(true);
      const foot = after.rgb.slice(3 * width * Math.floor(0.85 * height));
      // letters, and the white behind them
      expect(foot.filter((value) => value < 60).length).toBeGreaterThan(foot.length / 20);
      expect(foot.filter((value) => value > 200).length).toBeGreaterThan(foot.length / 4);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
