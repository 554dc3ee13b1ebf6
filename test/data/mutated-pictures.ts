/** Damaged pictures, the same ones for the same seed: bytes changed, cut out, put in twice, numbers made large, ends cut off. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyed } from '../../src/worlds/random.ts';

export interface Mutated {
  bytes: Buffer;
  what: string;
}

type Random = ReturnType<typeof keyed>;
type Change = (bytes: Buffer, random: Random) => Buffer;

const at = (bytes: Buffer, random: Random) => random.below(bytes.length);
const LARGE = [0xff, 0x7f, 0x80, 0x00];

const changes: Record<string, Change> = {
  flipped: (bytes, random) => {
    for (let n = random.below(4); n >= 0; n--) bytes[at(bytes, random)] ^= 1 << random.below(8);
    return bytes;
  },
  overwritten: (bytes, random) => {
    const from = at(bytes, random);
    return bytes.fill(
      LARGE[random.below(LARGE.length)],
      from,
      Math.min(bytes.length, from + 1 + random.below(4)),
    );
  },
  'cut off': (bytes, random) => bytes.subarray(0, at(bytes, random)),
  'cut out': (bytes, random) => {
    const from = at(bytes, random);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + random.below(16))]);
  },
  repeated: (bytes, random) => {
    const from = at(bytes, random);
    const piece = bytes.subarray(from, from + 1 + random.below(64));
    return Buffer.concat([bytes.subarray(0, from), piece, piece, bytes.subarray(from)]);
  },
  'in its header': (bytes, random) => {
    bytes[random.below(Math.min(64, bytes.length))] = random.below(256);
    return bytes;
  },
};

/** So many of each picture in the folder, beside the pictures themselves. */
export function* mutatedPictures(folder: string, each: number, seed: number): Generator<Mutated> {
  const names = readdirSync(folder).filter((name) => /\.(png|jpg|gif|webp|tif|avif)$/.test(name));
  const kinds = Object.keys(changes);
  for (const name of names.sort())
    for (let i = 0; i < each; i++) {
      const random = keyed('mutated pictures', seed, name, i);
      const kind = kinds[random.below(kinds.length)];
      yield {
        bytes: changes[kind](Buffer.from(readFileSync(join(folder, name))), random),
        what: `${name}, ${kind}, ${i}`,
      };
    }
}
