/** Damaged copies of files, by number: the same number always gives the same damage. */
import { createHash } from 'node:crypto';

/** A byte flipped, cut out, put in, doubled, zeroed; a number forged to be huge; or the end cut off. */
export function damaged(bytes: Uint8Array, number: number): Uint8Array {
  const draw = drawer(number);
  let result = Buffer.from(bytes);
  const times = 1 + draw(4);
  for (let time = 0; time < times; time++) {
    if (result.length === 0) return result;
    // every other copy keeps its length, so that what stands at the end still points to what stands before
    const some = number % 2 === 0 ? kinds : inPlace;
    result = some[draw(some.length)](result, draw);
  }
  return result;
}

type Draw = (below: number) => number;
type Kind = (bytes: Buffer<ArrayBuffer>, draw: Draw) => Buffer<ArrayBuffer>;

/** Half of all damage goes to the last kilobytes, where a Parquet file keeps what it says of itself. */
const place = (bytes: Buffer, draw: Draw) =>
  draw(2) === 0 ? draw(bytes.length) : bytes.length - 1 - draw(Math.min(bytes.length, 3000));

const huge = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0x7f],
  [0x00, 0x00, 0x00, 0x80],
  [0xfc, 0xff, 0xff, 0xff],
];

const inPlace: Kind[] = [
  (bytes, draw) => {
    bytes[place(bytes, draw)] ^= 1 << draw(8);
    return bytes;
  },
  (bytes, draw) => {
    bytes[place(bytes, draw)] = draw(256);
    return bytes;
  },
  (bytes, draw) => {
    Buffer.from(huge[draw(huge.length)]).copy(bytes, place(bytes, draw));
    return bytes;
  },
  (bytes, draw) => {
    const at = place(bytes, draw);
    return bytes.fill(draw(2) * 255, at, Math.min(bytes.length, at + draw(40)));
  },
];

const kinds: Kind[] = [
  ...inPlace,
  (bytes, draw) => {
    const at = place(bytes, draw);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + draw(20))]);
  },
  (bytes, draw) => {
    const at = place(bytes, draw);
    const more = Buffer.from(Array.from({ length: 1 + draw(12) }, () => draw(256)));
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
  },
  (bytes, draw) => {
    const at = place(bytes, draw);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 1 - draw(200)))]);
  },
  (bytes, draw) => (draw(4) === 0 ? bytes.subarray(0, place(bytes, draw)) : bytes),
  (bytes, draw) => {
    // the length of a Parquet file's footer
    if (bytes.length >= 8) bytes.writeUInt32LE(draw(2) === 0 ? draw(1 << 31) : draw(4000), bytes.length - 8);
    return bytes;
  },
];

function drawer(number: number): Draw {
  let block = Buffer.alloc(0);
  let at = 0;
  let round = 0;
  return (below) => {
    if (at + 4 > block.length) {
      block = createHash('sha256').update(`${number} ${round++}`).digest();
      at = 0;
    }
    at += 4;
    return block.readUInt32LE(at - 4) % below;
  };
}
