/** Whether the WebGPU provider runs here: on a GPU, or on the software driver that Debian's Chromium package carries. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Probe } from '../../src/engine/local/doctor/report.ts';

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Sets the variables that point at the software driver, for processes started from here on, where only that runs. */
export async function probeWebgpu(): Promise<Probe> {
  const found = await probe();
  if (found.runs || process.env.VK_DRIVER_FILES || !existsSync(SWIFTSHADER)) return found;
  process.env.VK_DRIVER_FILES = SWIFTSHADER;
  const libraries = process.env.LD_LIBRARY_PATH;
  // the package has the Vulkan loader beside its driver
  process.env.LD_LIBRARY_PATH = [dirname(SWIFTSHADER), ...(libraries ? [libraries] : [])].join(':');
  return probe();
}

async function probe(): Promise<Probe> {
  const built = new URL('../../dist/engine/local/doctor/examine.js', import.meta.url).href;
  const { tryProvider } = (await import(built)) as typeof import('../../src/engine/local/doctor/examine.ts');
  return tryProvider('webgpu', 1);
}

/** For the name of a suite. */
export const whyNot = (probe: Probe): string =>
  probe.runs ? '' : ` (left out: the provider does not run here: ${probe.why})`;
