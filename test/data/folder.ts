import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** An empty folder that goes away after the test. */
export function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sophia-data-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export const qwen = join(import.meta.dirname, '../fixtures/qwen2_5_vl_tiny');
