import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors.ts';
import { checkpointIndex, parseCheckpointIndex, planShards } from '../../src/models/checkpoint-index.ts';
import {
  decodeFloats,
  elements,
  encodeFloats,
  type FloatTensor,
  parseHeader,
  readHeader,
  readTensor,
  readTensorInto,
  tensorSource,
} from '../../src/models/safetensors.ts';
import { type FloatDtype, widen } from '../../src/models/widen.ts';
import { goldenBytes } from './golden.ts';

const joined = (chunks: Iterable<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat([...chunks]));

function decodeAll(bytes: Uint8Array): Map<string, FloatTensor> {
  return new Map(
    [...parseHeader(bytes, 'f').tensors.values()].map((entry) => [
      entry.name,
      { shape: entry.shape, data: decodeFloats(bytes.subarray(entry.begin, entry.end), entry, 'f') },
    ]),
  );
}

/** A safetensors file with any header text and any data. */
function file(header: string | object, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}
const entry = (shape: unknown, offsets: unknown, dtype: unknown = 'F32') => ({
  dtype,
  shape,
  data_offsets: offsets,
});

describe('the safetensors format', () => {
  it('a file of the reference implementation, decoded and encoded, is the same to the byte', () => {
    const original = goldenBytes('adapter/adapter_model.safetensors');
    expect(joined(encodeFloats(decodeAll(original)))).toEqual(original);
  });

  it('any float32 tensors come back as they were, whatever their names, shapes and order', () => {
    const tensor = fc
      .array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 })
      .chain((shape) =>
        fc
          .array(fc.float(), { minLength: elements(shape), maxLength: elements(shape) })
          .map((data) => ({ shape, data: Float32Array.from(data) })),
      );
    const name = fc.oneof(
      fc.string({ unit: 'grapheme' }).filter((s) => s !== '__metadata__'),
      fc.constantFrom('__proto__', 'constructor', '0', ''),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, tensor), { maxLength: 8 }), (pairs) => {
        const tensors = new Map(pairs);
        const bytes = joined(encodeFloats(tensors, { format: 'pt', note: '"\n' }));
        const { metadata } = parseHeader(bytes, 'f');
        expect(metadata).toEqual({ format: 'pt', note: '"\n' });
        const back = decodeAll(bytes);
        expect([...back.keys()].sort()).toEqual([...tensors.keys()].sort());
        for (const [key, value] of tensors) expect(back.get(key)).toEqual(value);
        expect(joined(encodeFloats(new Map([...tensors].reverse()), { format: 'pt', note: '"\n' }))).toEqual(
          bytes,
        );
        expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n);
      }),
    );
  });

  it('a large tensor is handed on as its own memory, not copied', () => {
    const data = new Float32Array(1000);
    const [, chunk] = [...encodeFloats(new Map([['w', { shape: [10, 100], data }]]))];
    expect(chunk.buffer).toBe(data.buffer);
  });

  it('by byte range it reads only the header and the tensor that is asked for', async () => {
    const bytes = goldenBytes('adapter/adapter_model.safetensors');
    let most = 0;
    const read = async (offset: number, length: number) => {
      most = Math.max(most, offset + length);
      return bytes.slice(offset, offset + length);
    };
    const header = await readHeader(read, bytes.length, 'f');
    expect(header).toEqual(parseHeader(bytes, 'f'));
    const [first] = header.tensors.values();
    expect(await readTensor(read, first, 'f')).toEqual(decodeAll(bytes).get(first.name)!.data);
    expect(most).toBe(first.end);
  });

  it('bfloat16 is the upper half of a float32', () => {
    fc.assert(
      fc.property(fc.uint16Array({ maxLength: 40 }), (halves) => {
        const got = decodeFloats(new Uint8Array(halves.buffer.slice(0)), { name: 'w', dtype: 'BF16' }, 'f');
        const want = new Float32Array(Uint32Array.from(halves, (half) => half * 65536).buffer);
        expect(new Uint8Array(got.buffer)).toEqual(new Uint8Array(want.buffer));
      }),
    );
  });

  it('every float16 has the value that IEEE 754 gives it', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const got = decodeFloats(new Uint8Array(halves.buffer), { name: 'w', dtype: 'F16' }, 'f');
    for (let i = 0; i < 65536; i++) {
      const sign = i & 0x8000 ? -1 : 1;
      const exponent = (i >> 10) & 31;
      const fraction = (i & 1023) / 1024;
      const want =
        exponent === 31
          ? fraction === 0
            ? sign * Infinity
            : NaN
          : exponent === 0
            ? sign * fraction * 2 ** -14
            : sign * (1 + fraction) * 2 ** (exponent - 15);
      if (!Object.is(got[i], want)) expect.fail(`float16 ${i}: ${got[i]} instead of ${want}`);
    }
  });

  it('a tensor read piece by piece is the tensor read as a whole, and is said to be finite or not', async () => {
    // pieces are of 4 MiB: the last number stands in the third
    const count = 2 ** 22 + 3;
    for (const [dtype, one, infinite] of [
      ['BF16', 0x3f80, 0x7f80],
      ['F16', 0x3c00, 0xfc00],
    ] as const) {
      const halves = new Uint16Array(count).fill(one);
      halves[count - 1] = 1;
      const bytes = new Uint8Array(13 + halves.byteLength);
      bytes.set(new Uint8Array(halves.buffer), 13);
      const entry = { name: 'w', dtype, shape: [count], begin: 13, end: bytes.length };
      const source = tensorSource('x', async (offset, into) => {
        const part = bytes.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      });
      const into = new Float32Array(count);
      await readTensorInto(source, entry, into);
      const want = decodeFloats(bytes.subarray(13), entry, 'x');
      expect(into.every((number, i) => Object.is(number, want[i]))).toBe(true);
      new DataView(bytes.buffer).setUint16(13 + 2 * (count - 1), infinite, true);
      await expect(readTensorInto(source, entry, into)).rejects.toThrow(
        /^x: the tensor w holds NaN or infinity[^\n]*$/,
      );
      const short = tensorSource('x', async (offset, into) =>
        Math.min(into.length, bytes.length - 1 - offset),
      );
      await expect(readTensorInto(short, entry, into)).rejects.toThrow(/^x: ends before byte \d+; [^\n]*$/);
    }
  });

  it.each<[FloatDtype, number[], number[]]>([
    ['F32', [0x7f800000, 0xff800000, 0x7fc00000, 0xffffffff], [0x7f7fffff, 0x80000001, 0, 0xff7fffff]],
    ['F16', [0x7c00, 0xfc00, 0x7c01, 0xffff], [0x7bff, 0x8001, 0, 0xfbff]],
    ['BF16', [0x7f80, 0xff80, 0x7f81, 0xffff], [0x7f7f, 0x8001, 0, 0xff7f]],
  ])('%s: infinities and NaN are not finite, the largest and smallest numbers are', (dtype, not, finite) => {
    const bytesOf = (bits: number[]) =>
      new Uint8Array((dtype === 'F32' ? Uint32Array.from(bits) : Uint16Array.from(bits)).buffer);
    expect(widen(dtype, bytesOf(finite), new Float32Array(4))).toBe(true);
    for (const bits of not)
      for (const at of [0, 1, 4]) {
        const mixed = finite.toSpliced(at, 0, bits);
        expect(widen(dtype, bytesOf(mixed), new Float32Array(5))).toBe(false);
      }
  });

  it('bytes at an odd address are read all the same', () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setFloat32(1, 1.5, true);
    expect([...decodeFloats(bytes.subarray(1, 5), { name: 'w', dtype: 'F32' }, 'f')]).toEqual([1.5]);
  });
});

describe('damaged safetensors files', () => {
  const two = (a: object, b: object) => ({ a, b });
  it.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'too few'],
    ['an absurd header length', new Uint8Array(16).fill(0xff), 'says its header takes 18446744073709551615'],
    ['a header longer than the file', file({ a: entry([1], [0, 4]) }, 4).subarray(0, 30), 'says its header'],
    ['a header that is not JSON', file('{"a": '), 'not valid JSON'],
    ['a header that is an array', file('[]'), 'does not begin with "{"'],
    ['a header that is not UTF-8', file('{"\u00ff').fill(0xc0, 9), 'not UTF-8'],
    ['a tensor named twice', file('{"a":{"dtype":"F32"},"\\u0061":{}}'), 'the key "a" stands twice'],
    ['a tensor that is null', file({ w: null }), 'tensor "w" has no dtype'],
    ['an unknown dtype', file({ w: entry([1], [0, 4], 'F33') }, 4), 'tensor "w" has the dtype "F33"'],
    ['a dtype out of the prototype', file({ w: entry([1], [0, 4], 'toString') }, 4), 'dtype "toString"'],
    ['a negative axis', file({ w: entry([-1], [0, 4]) }, 4), 'tensor "w" has no shape'],
    ['offsets in reverse', file({ w: entry([1], [4, 0]) }, 4), 'tensor "w" has no data_offsets'],
    [
      'a size that is not the shape times the dtype',
      file({ w: entry([2], [0, 4]) }, 4),
      'takes 8 bytes but has 4',
    ],
    ['a shape beyond all memory', file({ w: entry([2 ** 50, 2 ** 50], [0, 4]) }, 4), 'bytes but has 4'],
    [
      'overlapping tensors',
      file(two(entry([2], [0, 8]), entry([1], [4, 8])), 8),
      'tensor "b" begins at byte',
    ],
    ['a gap between tensors', file(two(entry([1], [0, 4]), entry([1], [8, 12])), 12), 'after a gap of 4'],
    ['a gap before the first', file({ w: entry([1], [4, 8]) }, 8), 'after a gap of 4'],
    ['a file cut off', file({ w: entry([2], [0, 8]) }, 7), 'tensor "w" ends at byte'],
    ['bytes after the last tensor', file({ w: entry([1], [0, 4]) }, 5), '1 bytes after the last tensor'],
    ['metadata that is not strings', file({ __metadata__: { n: 1 } }), '__metadata__ "n" is not a string'],
  ])('%s is an input error of one line that names the file', (_, bytes, message) => {
    expect(() => parseHeader(bytes, 'x.safetensors')).toThrow(InputError);
    expect(() => parseHeader(bytes, 'x.safetensors')).toThrow(message);
    expect(() => parseHeader(bytes, 'x.safetensors')).toThrow(/^x\.safetensors[^\n]*$/);
  });

  it('weights of integers are refused by name', () => {
    const bytes = file({ w: entry([1], [0, 4], 'I32') }, 4);
    const { tensors } = parseHeader(bytes, 'x');
    expect(() => decodeFloats(bytes.subarray(-4), tensors.get('w')!, 'x')).toThrow(
      /^x: tensor "w" has the dtype I32/,
    );
  });

  it('a file that shrinks while it is read is an input error', async () => {
    const bytes = file({ w: entry([1], [0, 4]) }, 4);
    const read = async (offset: number, length: number) => bytes.slice(offset, Math.min(offset + length, 20));
    await expect(readHeader(read, bytes.length, 'x')).rejects.toThrow(/^x: ends before byte/);
  });

  it('thousands of files with bytes changed, cut or added: parsed whole or an input error of one line', () => {
    const tensors = new Map(
      ['a.weight', 'b', 'c'].map((name, i) => [
        name,
        { shape: [i, 2], data: new Float32Array(2 * i).fill(i) },
      ]),
    );
    const good = joined(encodeFloats(tensors));
    const headerBytes = good.length - 24;
    const change = fc.tuple(
      fc.nat(headerBytes - 1),
      fc.oneof(
        fc.nat(255),
        fc.constantFrom(...'{}[]",:0123456789eE-.\\'.split('').map((c) => c.charCodeAt(0))),
      ),
    );
    let survived = 0;
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), fc.option(fc.nat(good.length)), (changes, cut) => {
        const bytes = good.slice(0, cut ?? good.length);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        try {
          for (const e of parseHeader(bytes, 'x').tensors.values()) {
            expect(e.begin).toBeGreaterThanOrEqual(8);
            expect(e.end).toBeLessThanOrEqual(bytes.length);
          }
          survived++;
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).toMatch(/^x[^\n]{1,600}$/);
        }
      }),
      { numRuns: 5000 },
    );
    expect(survived).toBeGreaterThan(0);
  });

  it('thousands of headers made of the right keys with wrong values never crash', () => {
    const value = fc.oneof(fc.jsonValue(), fc.integer(), fc.constantFrom('F32', 'BF16', 'I64'));
    const size = fc.oneof(fc.integer({ min: -2, max: 64 }), fc.maxSafeNat(), value);
    const odd = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom('F32', 'U8', 'F16'), value),
        shape: fc.oneof(fc.array(size, { maxLength: 4 }), value),
        data_offsets: fc.oneof(fc.tuple(size, size), value),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(odd, value)), fc.nat(64), (header, data) => {
        try {
          parseHeader(file(header, data), 'x');
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).toMatch(/^x[^\n]+$/);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('the index of a checkpoint in several files', () => {
  it('says which file holds which tensors', () => {
    const index = {
      metadata: { total_size: 8 },
      weight_map: { c: 'm-2.safetensors', b: 'm-1.safetensors', a: 'm-2.safetensors' },
    };
    expect([...parseCheckpointIndex(JSON.stringify(index), 'i')]).toEqual([
      ['m-1.safetensors', ['b']],
      ['m-2.safetensors', ['a', 'c']],
    ]);
  });

  it.each([
    ['null', 'has no weight_map'],
    ['{"weight_map": []}', 'has no weight_map'],
    ['{"weight_map": {}}', 'weight_map is empty'],
    ['{"weight_map": {"w": 3}}', 'tensor "w" is said to be in "3"'],
    ['{"weight_map": {"w": "../m.safetensors"}}', 'not a .safetensors file of this folder'],
    ['{"weight_map": {"w": "pytorch_model.bin"}}', 'not a .safetensors file of this folder'],
    ['{"weight_map": {"w": "m.safetensors", "w": "n.safetensors"}}', 'the key "w" stands twice'],
  ])('%s is an input error that names the file', (text, message) => {
    expect(() => parseCheckpointIndex(text, 'index.json')).toThrow(InputError);
    expect(() => parseCheckpointIndex(text, 'index.json')).toThrow(message);
    expect(() => parseCheckpointIndex(text, 'index.json')).toThrow(/^index\.json/);
  });

  it('a tensor goes into the next file where it would exceed the limit; a larger one stands alone', () => {
    const of = (...sizes: number[]) => sizes.map((bytes, i) => ({ name: 'tensor'[i], bytes }));
    const sizes = (of: Map<string, { bytes: number }[]>) =>
      [...of.values()].map((held) => held.map((t) => t.bytes));
    expect(sizes(planShards(of(4, 6, 1, 20, 3), 10))).toEqual([[4, 6], [1], [20], [3]]);
    const three = planShards(of(6, 5, 5, 1), 10);
    expect([...three.keys()]).toEqual([
      'model-00001-of-00003.safetensors',
      'model-00002-of-00003.safetensors',
      'model-00003-of-00003.safetensors',
    ]);
    expect([...planShards(of(6, 4), 10).keys()]).toEqual(['model.safetensors']);
    expect([...planShards([], 10).keys()]).toEqual(['model.safetensors']);
  });

  it('is written with the bytes of all tensors, and read back as the same plan', () => {
    const tensors = ['d', 'b', 'c', 'a'].map((name, i) => ({ name, bytes: 4 * (i + 1) }));
    const plan = planShards(tensors, 12);
    const index = checkpointIndex(plan);
    expect(index.metadata.total_size).toBe(40);
    const names = [...plan].map(([file, held]) => [file, held.map(({ name }) => name).sort()]);
    expect([...parseCheckpointIndex(JSON.stringify(index), 'i')]).toEqual(names);
  });
});
