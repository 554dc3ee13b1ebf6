/** What published files come to, whatever their kind. */
import type { Row } from '../benchmarks/benchmark.ts';

export interface PublishedRows {
  length: number;
  /** Row i, 0-based, of all files together. Throws InputError. */
  get(i: number): Promise<Row>;
  /** The beginning of messages about row i. */
  source(i: number): string;
}
