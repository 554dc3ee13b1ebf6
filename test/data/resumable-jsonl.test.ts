import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonLine } from '../../src/data/jsonl.ts';
import { type Part, writeResumable } from '../../src/data/resumable-jsonl.ts';
import { InputError, RunError } from '../../src/errors.ts';
import { temporaryFolder } from './folder.ts';

interface Counts {
  rows: number;
}
const inFolder = () => join(temporaryFolder(), 'out.jsonl');
const options = {
  settings: { seed: 1, input: { file: 'in.jsonl', bytes: 7 } },
  counts: { rows: 0 },
  force: false,
};

/** Inputs that give 0, 1 or 2 rows each, appended `chunk` inputs at a time; `stop` is asked before each chunk. */
function filling(inputs: number, chunk: (at: number) => number, stop: (at: number) => void = () => {}) {
  return async (part: Part<Counts>) => {
    let { rows } = part.counts;
    for (let at = part.inputs; at < inputs; ) {
      stop(at);
      const end = Math.min(inputs, at + chunk(at));
      const made: unknown[] = [];
      for (; at < end; at++)
        made.push(...Array.from({ length: at % 3 }, (_, i) => ({ at, i, text: 'ü'.repeat(at) })));
      rows += made.length;
      await part.append(made, end, { rows });
    }
  };
}
const expected = (inputs: number) =>
  Array.from({ length: inputs }, (_, at) =>
    Array.from({ length: at % 3 }, (_, i) => jsonLine({ at, i, text: 'ü'.repeat(at) })).join(''),
  ).join('');

describe('a file that can be gone on with', () => {
  it('holds the same bytes and counts however often it was stopped, and wherever, and leaves nothing beside it', () =>
    fc.assert(
      fc.asyncProperty(
        fc.nat(20),
        fc.array(fc.record({ after: fc.nat(20), chunk: fc.integer({ min: 1, max: 5 }), junk: fc.nat(40) }), {
          maxLength: 4,
        }),
        async (inputs, stops) => {
          const out = inFolder();
          for (const { after, chunk, junk } of stops) {
            const stop = (at: number) => {
              if (at < after) return;
              // what a kill in the middle of an append leaves
              writeFileSync(`${out}.part`, 'x'.repeat(junk), { flag: 'a' });
              throw new Error('killed');
            };
            await writeResumable(
              out,
              options,
              filling(inputs, () => chunk, stop),
            ).catch((error) => {
              expect(error.message).toBe('killed');
            });
            if (existsSync(out)) break;
          }
          if (!existsSync(out)) {
            const done = await writeResumable(
              out,
              options,
              filling(inputs, () => 2),
            );
            const text = readFileSync(out, 'utf8');
            expect(done).toEqual({
              inputs,
              counts: { rows: text.split('\n').length - 1 },
            });
          }
          expect(readFileSync(out, 'utf8')).toBe(expected(inputs));
          expect(readdirSync(join(out, '..'))).toEqual(['out.jsonl']);
        },
      ),
      { numRuns: 30 },
    ));

  it('gives back the rows that are there', async () => {
    const out = inFolder();
    await expect(
      writeResumable(
        out,
        options,
        filling(
          9,
          () => 3,
          (at) => {
            if (at === 6) throw new Error('killed');
          },
        ),
      ),
    ).rejects.toThrow('killed');
    const known: unknown[] = [];
    await writeResumable(out, options, async (part: Part<Counts>) => {
      for await (const { value } of part.rows()) known.push((value as { at: number }).at);
      expect(part).toMatchObject({ inputs: 6, counts: { rows: 6 } });
      await filling(9, () => 9)(part);
    });
    expect(known).toEqual([1, 2, 2, 4, 5, 5]);
  });

  it('is finished by whoever comes after a kill between its last row and its name', async () => {
    for (const named of [false, true]) {
      const out = inFolder();
      const sidecar = {
        format: 1,
        settings: options.settings,
        bytes: 4,
        inputs: 2,
        counts: { rows: 2 },
        ended: true,
      };
      writeFileSync(named ? out : `${out}.part`, '1\n2\n');
      writeFileSync(`${out}.part.json`, JSON.stringify(sidecar));
      const never = async () => {
        throw new Error('there is nothing to do');
      };
      expect(await writeResumable(out, options, never)).toEqual({ inputs: 2, counts: { rows: 2 } });
      expect(readFileSync(out, 'utf8')).toBe('1\n2\n');
      expect(readdirSync(join(out, '..'))).toEqual(['out.jsonl']);
    }
  });
});

it('a file whose first rows could not be made leaves nothing behind; one killed before them binds nobody', async () => {
  const out = inFolder();
  const failing = async () => {
    throw new Error('no');
  };
  await expect(writeResumable(out, options, failing)).rejects.toThrow('no');
  expect(readdirSync(join(out, '..'))).toEqual([]);
  const killed = {
    format: 1,
    settings: { other: true },
    bytes: 0,
    inputs: 0,
    counts: { rows: 0 },
    ended: false,
  };
  writeFileSync(`${out}.part.json`, JSON.stringify(killed));
  writeFileSync(`${out}.part`, 'half a r');
  await writeResumable(
    out,
    options,
    filling(5, () => 2),
  );
  expect(readFileSync(out, 'utf8')).toBe(expected(5));
});

describe('is refused in one line that says what to do, and left as it is', () => {
  const refusal = (out: string, over = {}) =>
    writeResumable(out, { ...options, ...over }, async () => {
      throw new Error('must not come to this');
    }).then(
      () => null,
      (error) => error,
    );
  const begun = async () => {
    const out = inFolder();
    await writeResumable(
      out,
      options,
      filling(
        9,
        () => 3,
        (at) => {
          if (at > 0) throw new Error('killed');
        },
      ),
    ).catch(() => {});
    return out;
  };

  it('a file that exists', async () => {
    const out = inFolder();
    writeFileSync(out, 'mine');
    expect(await refusal(out)).toEqual(
      new InputError(`${out}: exists already; name another file, or replace it with --force`),
    );
    expect(readFileSync(out, 'utf8')).toBe('mine');
  });

  it('other settings, each named', async () => {
    const out = await begun();
    const before = readFileSync(`${out}.part`, 'utf8');
    const error = await refusal(out, { settings: { ...options.settings, seed: 2 } });
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toBe(
      `${out}.part: was begun with another seed (1 then, 2 now); go on with the same, name another file, or begin anew with --force`,
    );
    expect(readFileSync(`${out}.part`, 'utf8')).toBe(before);
  });

  it('a part that is shorter than it was, and one of which nothing is known', async () => {
    const out = await begun();
    truncateSync(`${out}.part`, 3);
    expect((await refusal(out)).message).toMatch(
      /is not what .*\.part\.json says of it; begin anew with --force$/,
    );
    const other = inFolder();
    writeFileSync(`${other}.part`, 'mine');
    expect((await refusal(other)).message).toMatch(/stands in the way/);
    expect(readFileSync(`${other}.part`, 'utf8')).toBe('mine');
  });

  it('a file that another process, or this one, is writing; but not one that a dead process was', async () => {
    const out = await begun();
    writeFileSync(`${out}.part.lock-${process.ppid}`, '');
    expect((await refusal(out)).message).toMatch(
      new RegExp(`process ${process.ppid} is writing it; wait .* remove .*lock-${process.ppid}\\)$`),
    );
    const busy = inFolder();
    let inner: unknown;
    await writeResumable(busy, options, async () => {
      inner = await refusal(busy);
    });
    expect(inner).toEqual(new InputError(`${busy}.part: is being written already`));
    const dead = await begun();
    writeFileSync(`${dead}.part.lock-${2 ** 22 + 1}`, '');
    await writeResumable(
      dead,
      options,
      filling(9, () => 3),
    );
    expect(readdirSync(join(dead, '..'))).toEqual(['out.jsonl']);
  });

  it('--force replaces what exists once the new file is whole, and drops what was begun otherwise', async () => {
    const out = await begun();
    writeFileSync(out, 'old');
    const over = { ...options, settings: { other: true }, force: true };
    await writeResumable(out, over, async (part) => {
      expect(part.inputs).toBe(0);
      expect(readFileSync(out, 'utf8')).toBe('old');
      await filling(5, () => 1)(part);
    });
    expect(readFileSync(out, 'utf8')).toBe(expected(5));
  });

  it('a part that somebody else changes meanwhile ends the run', async () => {
    const out = inFolder();
    const meddled = writeResumable(
      out,
      options,
      filling(
        9,
        () => 3,
        (at) => {
          if (at === 6) writeFileSync(`${out}.part`, 'x', { flag: 'a' });
        },
      ),
    );
    await expect(meddled).rejects.toThrow(RunError);
    await expect(meddled).rejects.toThrow(/was changed by somebody else/);
  });
});
