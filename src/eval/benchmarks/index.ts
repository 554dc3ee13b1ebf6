/** The benchmarks by name. Each is loaded when it is asked for. */
import { InputError } from '../../errors.ts';
import { type Benchmark, type BenchmarkName, benchmarkNames } from './benchmark.ts';

const loaders: Record<BenchmarkName, () => Promise<unknown>> = {
  mathvista: async () => (await import('./mathvista.ts')).mathvista,
  mathverse: async () => (await import('./mathverse.ts')).mathverse,
  mmmu: async () => (await import('./mmmu.ts')).mmmu,
  mme: async () => (await import('./mme.ts')).mme,
  mmstar: async () => (await import('./mmstar.ts')).mmstar,
  chartqa: async () => (await import('./chartqa.ts')).chartqa,
  mmbench: async () => (await import('./mmbench.ts')).mmbench,
};

/**
 * A benchmark by its name, capitals or not. Its rows go from its own `parse` to its own `score` only, so that their type
 * matters to nobody else. Throws InputError `WHERE: …`.
 */
export async function benchmarkNamed(name: string, where: string): Promise<Benchmark> {
  const known = benchmarkNames.find((one) => one === name.toLowerCase());
  if (known === undefined)
    throw new InputError(`${where}: no such benchmark; there are ${benchmarkNames.join(', ')}`);
  return (await loaders[known]()) as Benchmark;
}
