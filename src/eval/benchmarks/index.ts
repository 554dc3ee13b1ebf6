/** The benchmarks by name. Each is loaded when it is asked for. */
import type { Benchmark, BenchmarkName } from './benchmark.ts';

const loaders = {
  mathvista: async () => (await import('./mathvista.ts')).mathvista,
  mathverse: async () => (await import('./mathverse.ts')).mathverse,
  mmmu: async () => (await import('./mmmu.ts')).mmmu,
  mme: async () => (await import('./mme.ts')).mme,
  mmstar: async () => (await import('./mmstar.ts')).mmstar,
  chartqa: async () => (await import('./chartqa.ts')).chartqa,
  mmbench: async () => (await import('./mmbench.ts')).mmbench,
} satisfies Partial<Record<BenchmarkName, () => Promise<unknown>>>;

export type KnownBenchmark = keyof typeof loaders;
export const knownBenchmarks = Object.keys(loaders) as KnownBenchmark[];

/** Rows go from its own `parse` to its own `score` only, so that their type matters to nobody else. */
export async function benchmarkOf(name: KnownBenchmark): Promise<Benchmark> {
  return (await loaders[name]()) as unknown as Benchmark;
}
