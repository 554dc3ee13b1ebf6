/**
 * A set the size of the published training data: 130,000 rows with pictures in 20 Parquet shards, then what it takes to
 * check it, to say what it is made of, and to go through it once in shuffled order reading every picture. Each in a
 * process of its own: npx tsx bench/data-130k.ts [ROWS]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parquetWriteBuffer } from 'hyparquet-writer';
import sharp from 'sharp';
import { pictureBytes } from '../src/data/pictures/bytes.ts';
import { itemOrder } from '../src/data/records/order.ts';
import { openRecords } from '../src/data/records/reader.ts';

const SHARDS = 20;
const ROW_GROUP = 500;
const PICTURES = 1500;
const SOURCES = ['A-OKVQA', 'ChartQA', 'ScienceQA', 'TextVQA', 'Geometry3K'];

async function generate(dir: string, rows: number): Promise<number> {
  const pictures = await Promise.all(Array.from({ length: PICTURES }, (_, i) => picture(i)));
  let bytes = 0;
  for (let shard = 0; shard < SHARDS; shard++) {
    const from = Math.floor((shard * rows) / SHARDS);
    const to = Math.floor(((shard + 1) * rows) / SHARDS);
    const ids = Array.from({ length: to - from }, (_, i) => from + i);
    const text = (name: string, of: (id: number) => string) => ({ name, data: ids.map(of) });
    const utf8 = { type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' } as const;
    const columnData = [
      { name: 'problem_id', data: ids },
      text(
        'problem',
        (id) =>
          `How many squares of colour ${id % 97} are there in picture ${id}? ${'Look closely. '.repeat(id % 9)}`,
      ),
      text('data_type', () => 'image'),
      text('problem_type', () => 'numerical'),
      text('solution', (id) => `<answer>${id % 10}</answer>`),
      text('data_source', (id) => SOURCES[id % SOURCES.length]),
    ];
    const image = ids.map((id) => ({
      bytes: pictures[id % PICTURES],
      path: `${id}.${id % 2 ? 'jpg' : 'png'}`,
    }));
    const file = join(
      dir,
      `train-${String(shard).padStart(5, '0')}-of-${String(SHARDS).padStart(5, '0')}.parquet`,
    );
    const shardBytes = parquetWriteBuffer({
      rowGroupSize: ROW_GROUP,
      columnData: [...columnData, { name: 'image', data: image }],
      schema: [
        { name: 'root', num_children: columnData.length + 1 },
        { name: 'problem_id', type: 'INT32', repetition_type: 'REQUIRED' },
        ...columnData.slice(1).map(({ name }) => ({ name, ...utf8 })),
        { name: 'image', repetition_type: 'OPTIONAL', num_children: 2 },
        { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
        { name: 'path', ...utf8, repetition_type: 'OPTIONAL' },
      ],
    });
    writeFileSync(file, new Uint8Array(shardBytes));
    bytes += statSync(file).size;
  }
  return bytes;
}

/** Noise over a gradient: nothing that packs well. */
function picture(seed: number): Promise<Buffer> {
  const [width, height] = [48 + (seed % 5) * 16, 48 + (seed % 3) * 16];
  const rgb = Buffer.alloc(width * height * 3);
  let state = seed + 1;
  for (let i = 0; i < rgb.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    rgb[i] = (i % width) + (state >>> 26);
  }
  const image = sharp(rgb, { raw: { width, height, channels: 3 } });
  return (seed % 2 ? image.jpeg() : image.png()).toBuffer();
}

/** Once through the set in shuffled order. */
async function epoch(set: string): Promise<void> {
  const opening = performance.now();
  const records = await openRecords(set);
  const opened = performance.now();
  const item = itemOrder(records, 0);
  let bytes = 0;
  for (let k = 0; k < records.length; k++) {
    const { picture } = await records.get(item(k));
    bytes += (await pictureBytes(picture!)).length;
  }
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  console.log(
    `  opened ${records.length} records in ${seconds(opened - opening)}, read ${(bytes / 1e6).toFixed(0)} MB of pictures in ${seconds(performance.now() - opened)}`,
  );
}

/** Runs a process; prints its wall time and its highest resident memory. */
async function measure(label: string, args: readonly string[]): Promise<void> {
  const started = performance.now();
  const out = `process.on('exit', () => process.stderr.write('\\npeak ' + process.resourceUsage().maxRSS + '\\n'))`;
  const child = spawn(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(out)}`, ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  let errors = '';
  child.stdout.on('data', (text) => (said += text));
  child.stderr.on('data', (text) => (errors += text));
  const code = await new Promise((resolve) => child.on('close', resolve));
  const wall = (performance.now() - started) / 1000;
  const peak = Number(/peak (\d+)/.exec(errors)?.[1]) / 1024;
  console.log(`${label}: ${wall.toFixed(1)} s, peak ${peak.toFixed(0)} MiB, exit ${code}`);
  if (said.startsWith('  ')) process.stdout.write(said);
  if (code !== 0) console.log(errors.slice(-500));
}

const self = fileURLToPath(import.meta.url);
const sophia = fileURLToPath(new URL('../bin/sophia.js', import.meta.url));

async function main(): Promise<void> {
  if (process.argv[2] === 'epoch') return epoch(process.argv[3]);
  if (process.argv[2] === 'generate') {
    const bytes = await generate(process.argv[3], Number(process.argv[4]));
    console.log(`  ${process.argv[4]} rows in ${SHARDS} shards, ${(bytes / 1e6).toFixed(0)} MB`);
    return;
  }
  const rows = Number(process.argv[2] ?? 130_000);
  const dir = mkdtempSync(join(tmpdir(), 'sophia-data-130k-'));
  console.log(`${cpus().length} cores of ${cpus()[0].model}, Node ${process.version}`);
  const tsx = ['--import', 'tsx', self];
  try {
    await measure('generate', [...tsx, 'generate', dir, String(rows)]);
    await measure('data check', [sophia, 'data', 'check', dir]);
    await measure('data check --pictures present', [sophia, 'data', 'check', dir, '--pictures', 'present']);
    await measure('data stats', [sophia, 'data', 'stats', dir]);
    await measure('an epoch in shuffled order', [...tsx, 'epoch', dir]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

await main();
