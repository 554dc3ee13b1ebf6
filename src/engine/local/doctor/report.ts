/** What `sophia doctor` finds, as plain data, and what it makes of it. */

/** One execution provider tried in a process of its own; speed in float32 GFLOP/s. */
export type Probe = { runs: true; gflops: number } | { runs: false; why: string };

export const PROVIDERS = ['cpu', 'webgpu', 'cuda'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** What the machine is and has. Sizes in bytes. */
export interface Facts {
  node: { version: string; ok: boolean };
  platform: { os: string; release: string; arch: string };
  cpu: { model: string; cores: number; features: string[] };
  /** Threads that a computation uses. */
  threads: number;
  /** Matrix products on the CPU provider; null where it does not run. */
  sgemm_gflops: { one_thread: number | null; all_threads: number | null };
  providers: Record<Provider, Probe>;
  memory: { total: number; available: number };
  disk: { folder: string; free: number; writable: boolean };
  /** Reading and writing PNGs with sharp: null if it works, else why not. */
  pictures: string | null;
  /** Path of a Chromium. */
  browser: string | null;
}

export interface Finding {
  what: string;
  /** Whether `sophia train` cannot run without it. */
  needed: boolean;
  why: string;
  /** How to get it: one sentence. */
  remedy: string;
}

export interface Report extends Facts {
  /** Whether `sophia train` can run here. */
  ready: boolean;
  findings: Finding[];
}

/** What the quickstart recipe takes, rounded up. */
const MAIN_JOB = { memory: 4e9, disk: 1e9 };

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;

/** Everything that is missing, with how to get it; what is needed stands first. */
export function diagnose(facts: Facts): Report {
  const findings = [...needed(facts), ...useful(facts)];
  return { ready: !findings.some((finding) => finding.needed), ...facts, findings };
}

function needed({ node, providers, memory, disk, pictures }: Facts): Finding[] {
  const found: Finding[] = [];
  const add = (what: string, why: string, remedy: string) => found.push({ what, needed: true, why, remedy });
  if (!node.ok) add('Node', `${node.version} is too old`, 'Install Node 20.19 or newer: `nvm install 20`');
  if (!providers.cpu.runs)
    add(
      'cpu',
      providers.cpu.why,
      'Run `npm ci` again; onnxruntime-node is built for Linux with glibc, macOS on arm64, and Windows',
    );
  if (memory.total < MAIN_JOB.memory)
    add('memory', `${gigabytes(memory.total)} in all`, `Use a machine with ${gigabytes(MAIN_JOB.memory)}`);
  if (!disk.writable)
    add('disk', `${disk.folder} cannot be written to`, 'Change to a folder of your own, or give --run one');
  else if (disk.free < MAIN_JOB.disk)
    add(
      'disk',
      `${gigabytes(disk.free)} free`,
      `Free ${gigabytes(MAIN_JOB.disk)}, or give --run another disk`,
    );
  if (pictures)
    add('pictures', pictures, 'Run `npm ci --include=optional` (sharp comes in optional packages)');
  return found;
}

function useful({ platform, providers, memory, browser }: Facts): Finding[] {
  const found: Finding[] = [];
  const add = (what: string, why: string, remedy: string) => found.push({ what, needed: false, why, remedy });
  const linux = platform.os === 'linux';
  if (memory.total >= MAIN_JOB.memory && memory.available < MAIN_JOB.memory)
    add(
      'memory',
      `only ${gigabytes(memory.available)} available now`,
      'Close other programs before you train',
    );
  if (!providers.webgpu.runs)
    add(
      'webgpu',
      providers.webgpu.why,
      linux
        ? "If it has a GPU, install the Vulkan loader and the GPU's driver (Debian: libvulkan1, mesa-vulkan-drivers)"
        : "If it has a GPU, update the GPU's driver",
    );
  if (!providers.cuda.runs)
    add(
      'cuda',
      providers.cuda.why,
      linux && platform.arch === 'x64'
        ? 'If it has an NVIDIA GPU with CUDA 12 and cuDNN 9: `ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js`'
        : 'Use another machine: onnxruntime-node has CUDA on Linux x64 only',
    );
  if (!browser)
    add(
      'browser',
      'no Chromium found; only the tests that look at the report use one',
      linux
        ? 'Install it: `apt-get install chromium` on Debian'
        : 'Install Chromium or Chrome, or name one in CHROME_PATH',
    );
  return found;
}
