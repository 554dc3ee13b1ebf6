/** exp(−step/T): the thinking reward fades out over training. `step` is 0-based and may exceed T. arXiv 2505.17018. */
export function annealing(step: number, totalSteps: number): number {
  return Math.exp(-step / totalSteps);
}
