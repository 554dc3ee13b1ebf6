/** Run as a process of its own: decodes every bomb, prints `{name: {said, grownMb …}}`; VmHWM is the most memory it ever had. */
import { readFileSync } from 'node:fs';
import { decodePicture } from '../../src/data/pictures/images.ts';
import { bombs } from './picture-bombs.ts';

const peak = () =>
  Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024);

const made = Object.entries(await bombs());
const before = peak();
const said: Record<string, { said: string; readable: boolean; ms: number; grownMb: number }> = {};
for (const [name, { bytes, readable }] of made) {
  const started = performance.now();
  const answer = await decodePicture(bytes, 'p').then(
    ({ width, height }) => `${width}×${height}`,
    (error: Error) => `${error.name}: ${error.message}`,
  );
  said[name] = {
    said: answer,
    readable,
    ms: Math.round(performance.now() - started),
    grownMb: peak() - before,
  };
}
process.stdout.write(JSON.stringify(said));
