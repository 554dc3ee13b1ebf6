/**
 * Our engine against PyTorch and TRL: both sides run the same shapes in processes of their own and are measured in turns.
 *
 *     npx tsx bench/compare.ts lm    --python PATH [--sizes XS,S,M]
 *     npx tsx bench/compare.ts grpo  --python PATH [--sizes XS,S]
 *     npx tsx bench/compare.ts world --python PATH
 *
 * Further options: --reps 5, --threads 1,2 and --peer-threads 1,2 (the fastest counts), --peer '{"compile":true}'
 * (options of the peer's program), --wait 3 (seconds to wait for a quiet machine before each measurement), --json.
 * Prints a Markdown table with ratios and targets; progress goes to standard error. README.md says how to set it up.
 */
import { parseArgs } from 'node:util';
import { BENCHMARKS, type Benchmark, type Sides } from './compare/benchmarks.ts';
import { machine, ownVersions, quiet, sgemmGflops } from './compare/machine.ts';
import { markdown, type Report, type SizeReport, type UpdateRate } from './compare/report.ts';
import { measureInTurns, resultOf } from './compare/rounds.ts';
import { round } from './timing.ts';
import type { Watched } from './watch.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string', default: 'python3' },
    sizes: { type: 'string' },
    reps: { type: 'string', default: '5' },
    threads: { type: 'string' },
    'peer-threads': { type: 'string' },
    peer: { type: 'string', default: '{}' },
    wait: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});
const name = positionals[0] ?? '';
if (!(name in BENCHMARKS)) {
  process.stderr.write(
    `name one of ${Object.keys(BENCHMARKS).join(', ')}; see the head of bench/compare.ts\n`,
  );
  process.exit(2);
}
const benchmark = BENCHMARKS[name];
const numbers = (list: string | undefined) => list?.split(',').map(Number) ?? benchmark.threads;
const threads = numbers(values.threads);
const peerThreads = numbers(values['peer-threads']);
const reps = Number(values.reps);
const waitS = Number(values.wait);
const tell = (line: string) => process.stderr.write(`${line}\n`);

const report: Report = {
  title: benchmark.title,
  peer: benchmark.peerName,
  date: new Date().toISOString().slice(0, 10),
  command: ['npx tsx bench/compare.ts', ...shown(process.argv.slice(2))].join(' '),
  machine: machine(),
  versions: ownVersions(),
  reps,
  sgemm_gflops: null,
  sizes: [],
};
/** GFLOP/s of plain matrix products, measured before and after each size. */
const rates: number[] = [];
/** GFLOP of a size's update, as the peer counts them. */
const work: Record<string, number> = {};
for (const size of values.sizes?.split(',') ?? benchmark.sizes) {
  tell(`${size}: starting`);
  const options = { python: values.python, threads, peerThreads, peer: JSON.parse(values.peer) };
  const sides = await benchmark.start(size, options);
  try {
    Object.assign(report.versions, versionsOf(sides));
    checkSame(size, sides);
    report.sizes.push(await compareSize(size, sides));
  } finally {
    for (const contestant of [...sides.ours, ...sides.peers]) await contestant.close();
  }
}
if (benchmark.update) {
  // the best of all is what this machine can do
  report.sgemm_gflops = Math.max(...rates);
  for (const size of report.sizes) size.update = updateRate(size, benchmark.update, report.sgemm_gflops);
}
process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : markdown(report));

async function compareSize(size: string, { ours, peers }: Sides): Promise<SizeReport> {
  if (benchmark.update) work[size] = benchmark.update.gflop(peers[0].facts);
  await measureRate();
  const measured = await measureInTurns(ours, peers, benchmark.pairs, {
    reps,
    waitS,
    tell: (pair) => tell(`${size}: ${pair}`),
  });
  await measureRate();
  tell(`${size}: watching threads`);
  await ours[0].measure('watch');
  await quiet(waitS);
  const { detail } = await ours[0].measure('watch');
  return {
    size,
    parameters: ours[0].facts.parameters,
    results: benchmark.rows(size, ours[0].facts).map((row) => resultOf(row, measured)),
    watched: detail as unknown as Watched,
    update: null,
  };
}

async function measureRate(): Promise<void> {
  if (!benchmark.update) return;
  await quiet(waitS);
  rates.push(await sgemmGflops(Math.max(...threads)));
}

function updateRate(
  { size, results }: SizeReport,
  { row, target: targetOf }: NonNullable<Benchmark['update']>,
  machineGflops: number,
): UpdateRate {
  const { ours, peer } = results.find(({ what }) => what === row)!;
  const share = work[size] / ours.best_s / machineGflops;
  const target = targetOf(size);
  return {
    ours_gflops: round(work[size] / ours.best_s),
    peer_gflops: round(work[size] / peer.best_s),
    share: round(share),
    target,
    reached: target === null ? null : share >= target,
  };
}

function checkSame(size: string, { ours, peers }: Sides): void {
  for (const fact of ['parameters', 'prompt_tokens', 'questions']) {
    const seen = new Set([...ours, ...peers].flatMap(({ facts }) => (fact in facts ? [facts[fact]] : [])));
    if (seen.size > 1) throw new Error(`${size}: the two sides differ in ${fact}: ${[...seen].join(', ')}`);
  }
}

function versionsOf({ peers }: Sides): Record<string, string> {
  const { facts } = peers[0];
  return Object.fromEntries(
    ['python', 'torch', 'transformers', 'trl'].flatMap((key) =>
      typeof facts[key] === 'string' ? [[key, facts[key]]] : [],
    ),
  );
}

/** The command without where Python is. */
function shown(args: string[]): string[] {
  const at = args.indexOf('--python');
  return at < 0 ? args : [...args.slice(0, at), ...args.slice(at + 2)];
}
