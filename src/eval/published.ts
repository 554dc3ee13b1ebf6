/**
 * The published comparison: Tables 1 and 2 of SophiaVL-R1 (arXiv 2505.17018) as data, and a user's own summaries beside them
 * in the paper's columns. Figures are per cent; MME's are points.
 */
import type { BenchmarkName, Summary } from './benchmarks/benchmark.ts';

export interface PublishedTable {
  title: string;
  columns: readonly string[];
  /** By model, as the paper names it; `null`: the paper gives no figure. */
  rows: Readonly<Record<string, readonly (number | null)[]>>;
}

export const source = 'arXiv 2505.17018, Tables 1 and 2';

/** Where the paper does not agree with itself. */
export const notes: readonly string[] = [
  '+GRPO and +SFT+GRPO start from Qwen2.5-VL-7B-Instruct. Table 3 calls the untrained model\'s figures "Qwen2.5-VL-7B+GRPO" (67.5, 44.0, 57.4, 2306.0, 86.3, 83.3); the rows here are those of Tables 1 and 2.',
  'Table 3 gives SophiaVL-R1 48.9 on MathVerse and 84.5 on MMBench, where Tables 1 and 2 give 48.8 and 85.4.',
  'InternVL2.5-8B-VisualPRM is another base model, with the best of N responses chosen by a step-level reward model.',
  'The paper evaluated with VLMEvalKit: MathVista testmini, MMMU dev and val, ChartQA test, MMBench dev (English); MathVerse is the mean of VI, VO, VD, TD and TL.',
];

export const table1: PublishedTable = {
  title: 'Table 1: mathematical reasoning',
  columns: ['MathVista', 'SCI', 'TQA', 'ARI', 'MWP', 'LOG', 'MathVerse', 'VI', 'VO', 'VD', 'TD', 'TL'],
  rows: {
    'LLaVA-OneVision-7B': [63.2, 65.6, 60.8, 57.8, 69.4, 21.6, 26.2, null, null, null, null, null],
    'LLaVA-OneVision-72B': [68.4, 63.1, 65.8, 60.1, 73.7, 27.1, 27.2, null, null, null, null, null],
    'Cambrian-1-34B': [50.9, 53.3, 55.1, 45.6, 51.6, 16.2, null, null, null, null, null, null],
    'GPT-4V': [51.8, 63.1, 65.8, 51.8, 57.5, 21.6, 32.8, null, null, null, null, null],
    'Math-LLaVA-13B': [46.6, 49.2, 51.3, 40.2, 56.5, 16.2, 22.9, 24.5, 16.1, 21.7, 27.3, 24.9],
    'Math-PUMA-Qwen2VL-7B': [47.9, 42.6, 46.2, 46.2, 68.3, 21.6, 33.6, 33.4, 26.0, 31.6, 42.1, 35.0],
    'Multimath-7B': [50.0, null, 50.0, null, 61.8, null, 26.9, 28.1, 15.0, 25.9, 34.8, 30.8],
    'URSA-8B': [59.8, 58.2, 63.9, 53.5, 75.3, 21.6, 45.7, 46.4, 34.6, 43.9, 55.3, 48.3],
    'Curr-ReFT-7B': [64.5, null, null, null, null, null, null, null, null, null, null, null],
    'R1-OneVision-7B': [64.1, 61.5, 62.0, 56.1, 64.5, 16.2, 46.4, null, 40.0, null, null, null],
    'InternVL2.5-8B-VisualPRM': [68.5, 61.5, 53.9, 45.9, 66.8, 21.2, 30.7, 28.9, 35.8, 27.3, 31.7, 29.7],
    'Qwen2.5-VL-7B-Instruct': [67.5, 65.6, 67.7, 57.5, 69.4, 27.0, 44.0, 41.1, 41.0, 38.7, 55.2, 44.0],
    '+GRPO': [69.9, 68.0, 69.6, 61.2, 75.8, 24.3, 45.3, 43.0, 41.0, 41.1, 56.0, 45.6],
    '+SFT+GRPO': [66.8, 72.1, 73.4, 59.8, 69.9, 21.6, 43.1, 42.5, 37.1, 37.3, 52.2, 46.3],
    'SophiaVL-R1-7B': [71.3, 70.5, 73.4, 62.6, 76.9, 35.1, 48.8, 45.4, 43.9, 45.1, 58.5, 51.3],
  },
};

export const table2: PublishedTable = {
  title: 'Table 2: general benchmarks',
  columns: ['MMMU', 'MME', 'ChartQA', 'MMBench', 'MMStar'],
  rows: {
    'LLaVA-OneVision-7B': [48.8, 1998.0, 80.0, null, 61.7],
    'LLaVA-OneVision-72B': [56.8, 2261.0, 83.7, null, 66.1],
    'Cambrian-1-34B': [49.7, 1689.3, 75.6, 81.4, 54.2],
    'GPT-4V': [56.8, 1926.0, 78.5, 75.0, 57.1],
    'URSA-8B': [43.1, 1605.7, 44.4, 55.5, 42.3],
    'Curr-ReFT-7B': [null, null, null, 79.0, null],
    'R1-Onevision-7B': [51.6, 2223.3, null, 75.6, 59.1],
    'InternVL2.5-8B-VisualPRM': [56.2, null, 60.8, 83.5, 63.4],
    'Qwen2.5-VL-7B-Instruct': [57.4, 2306.0, 86.3, 83.3, 64.3],
    '+GRPO': [58.0, 2298.2, 87.2, 83.4, 65.6],
    '+SFT+GRPO': [59.1, 2344.1, 89.2, 84.6, 64.7],
    'SophiaVL-R1-7B': [61.3, 2403.8, 88.5, 85.4, 66.7],
  },
};

/** Questions of the sets that the figures are about: of part of a set, a figure says less. */
const sizes: Readonly<Record<BenchmarkName, readonly number[]>> = {
  mathvista: [1000],
  mathverse: [3940],
  // val, or dev and val
  mmmu: [900, 1050],
  mme: [2374],
  mmstar: [1500],
  chartqa: [2500],
  mmbench: [1164],
};

export interface OwnResults {
  /** How the rows are headed. */
  model: string;
  /** Summaries of scores.json, at most one a benchmark; what is missing stays empty. */
  summaries: readonly Summary[];
}

export interface Comparison {
  title: string;
  columns: readonly string[];
  /** The paper's models first, then the user's own. */
  rows: { model: string; own: boolean; figures: (number | null)[] }[];
  /** Own figures of part of a set, each as `mmstar 3 of 1500`. */
  partial: string[];
}

/** Tables 1 and 2 with the user's own rows below; a table without any figure of theirs is left out. */
export function compared(own: readonly OwnResults[]): Comparison[] {
  return [table1, table2].flatMap(({ title, columns, rows }) => {
    const ours = own.map(({ model, summaries }) => ({
      model,
      own: true,
      figures: columns.map((column) => figure(column, summaries)),
    }));
    if (!ours.some(({ figures }) => figures.some((value) => value !== null))) return [];
    const published = Object.entries(rows).map(([model, figures]) => ({
      model,
      own: false,
      figures: [...figures],
    }));
    const read = new Set(columns.map((column) => readings[column].benchmark));
    const partial = own.flatMap(({ summaries }) =>
      summaries
        .filter(({ benchmark, n }) => read.has(benchmark) && !sizes[benchmark].includes(n))
        .map(({ benchmark, n }) => `${benchmark} ${n} of ${sizes[benchmark][0]}`),
    );
    return [{ title, columns, rows: [...published, ...ours], partial }];
  });
}

type Reading = { benchmark: BenchmarkName; read: (summary: Summary) => number | null };

const percent = (share: unknown) => (typeof share === 'number' ? share * 100 : null);
/** `accuracy` of a category; null where the benchmark was not sorted that way. */
const inCategory = (sorting: string, name: string) => (summary: Summary) => {
  const shares = summary.per_category[sorting] as Record<string, { accuracy?: unknown }> | undefined;
  return percent(shares?.[name]?.accuracy);
};
const versions = ['Vision Intensive', 'Vision Only', 'Vision Dominant', 'Text Dominant', 'Text Lite'];
const version = (name: string): Reading => ({
  benchmark: 'mathverse',
  read: inCategory('problem_version', name),
});
const accuracy = (benchmark: BenchmarkName): Reading => ({
  benchmark,
  read: (summary) => percent(summary.accuracy),
});

/** How a summary's figures map to the paper's columns. */
const readings: Readonly<Record<string, Reading>> = {
  MathVista: accuracy('mathvista'),
  SCI: { benchmark: 'mathvista', read: inCategory('skills', 'scientific reasoning') },
  TQA: { benchmark: 'mathvista', read: inCategory('task', 'textbook question answering') },
  ARI: { benchmark: 'mathvista', read: inCategory('skills', 'arithmetic reasoning') },
  MWP: { benchmark: 'mathvista', read: inCategory('task', 'math word problem') },
  LOG: { benchmark: 'mathvista', read: inCategory('skills', 'logical reasoning') },
  MathVerse: { benchmark: 'mathverse', read: meanOfVersions },
  VI: version('Vision Intensive'),
  VO: version('Vision Only'),
  VD: version('Vision Dominant'),
  TD: version('Text Dominant'),
  TL: version('Text Lite'),
  MMMU: accuracy('mmmu'),
  MME: { benchmark: 'mme', read: ({ total }) => (typeof total === 'number' ? total : null) },
  ChartQA: accuracy('chartqa'),
  MMBench: accuracy('mmbench'),
  MMStar: accuracy('mmstar'),
};

/** The paper's average; null unless all five versions were asked. */
function meanOfVersions(summary: Summary): number | null {
  const shares = versions.map((name) => inCategory('problem_version', name)(summary));
  if (shares.includes(null)) return null;
  return (shares as number[]).reduce((sum, share) => sum + share, 0) / shares.length;
}

function figure(column: string, summaries: readonly Summary[]): number | null {
  const { benchmark, read } = readings[column];
  const summary = summaries.find((one) => one.benchmark === benchmark);
  return summary === undefined ? null : read(summary);
}
