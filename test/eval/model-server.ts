/** A model behind a server as a process, and a checkpoint of a test: what evaluations ask. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Asker, endpointAsker, type SamplingOptions } from '../../src/eval/asking/asker.ts';
import { formats } from '../../src/eval/asking/template.ts';
import type { BenchmarkName, Row } from '../../src/eval/benchmarks/benchmark.ts';
import { benchmarkNamed } from '../../src/eval/benchmarks/index.ts';
import { type BenchmarkOptions, evaluateBenchmark } from '../../src/eval/evaluate-benchmark.ts';
import { openPublished } from '../../src/eval/published/questions.ts';

export const samples = fileURLToPath(new URL('../fixtures/benchmarks', import.meta.url));

export const greedy: SamplingOptions = { system: null, samples: 1, temperature: 0, maxTokens: 64, seed: 0 };

export function askerAt(url: string, sampling: Partial<SamplingOptions> = {}): Promise<Asker> {
  const server = { url, model: 'm', concurrency: 4, timeoutMs: 5000, keyVariable: 'NO_KEY' };
  return endpointAsker(server, { ...greedy, ...sampling }, null);
}

/** Evaluates a sample, or the files in `data`, by the model at `url`. */
export async function evaluateSample(
  name: BenchmarkName,
  out: string,
  url: string,
  { data = samples, variant, ...options }: Partial<BenchmarkOptions> & { data?: string } = {},
) {
  const benchmark = await benchmarkNamed(name, 'test');
  const chosen = variant ?? benchmark.asking.variants[0];
  const questions = await openPublished(benchmark, chosen, data, null);
  const asked = options.samples ?? 1;
  const asker = await askerAt(url, { samples: asked, temperature: asked > 1 ? 1 : 0 });
  try {
    const evaluation = await evaluateBenchmark(out, {
      benchmark,
      variant: chosen,
      questions,
      asker,
      template: formats.plain,
      samples: 1,
      chooser: null,
      extractor: null,
      scorer: 'official',
      failures: null,
      settings: { questions: questions.digest },
      ...options,
    });
    return { ...evaluation, benchmark, questions };
  } finally {
    await asker.dispose();
  }
}

export const linesOf = (dir: string, file = 'predictions.jsonl'): Row[] =>
  readFileSync(join(dir, file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
