/** Repeats a piece of work: the first time does not count. */
export interface Timing {
  best_s: number;
  median_s: number;
  /** CPU seconds of this process in the repetition that used least. */
  cpu_s: number;
  reps: number;
}

export async function timed(work: () => Promise<unknown>, reps: number): Promise<Timing> {
  await work();
  const wall: number[] = [];
  const cpu: number[] = [];
  for (let i = 0; i < reps; i++) {
    const used = process.cpuUsage();
    const start = performance.now();
    await work();
    wall.push((performance.now() - start) / 1000);
    const { user, system } = process.cpuUsage(used);
    cpu.push((user + system) / 1e6);
  }
  wall.sort((a, b) => a - b);
  const digits = (x: number) => Number(x.toPrecision(4));
  return {
    best_s: digits(wall[0]),
    median_s: digits(wall[Math.floor(reps / 2)]),
    cpu_s: digits(Math.min(...cpu)),
    reps,
  };
}
