import type { BenchResult } from '../../trm/bench/bench.ts';
export const buildBenchReport = (result: BenchResult): string => JSON.stringify(result);
