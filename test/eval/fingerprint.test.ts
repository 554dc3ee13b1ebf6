/** A checkpoint's folder is another one once something was trained into it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fingerprint } from '../../src/eval/fingerprint.ts';

it('changes with weights and settings, not with what is no part of the model', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sophia-fingerprint-'));
  try {
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    write('model.safetensors', 'weights');
    write('config.json', '{}');
    const first = fingerprint([folder, undefined]);
    write('notes.txt', 'of no matter');
    expect(fingerprint([folder, undefined])).toBe(first);
    write('model.safetensors', 'others, longer');
    const second = fingerprint([folder, undefined]);
    expect(second).not.toBe(first);
    write('config.json', '{ }');
    expect(fingerprint([folder, undefined])).not.toBe(second);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
