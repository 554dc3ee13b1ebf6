/**
 * Ends this process by a signal's own action, which shells report as 130 (SIGINT), 143 (SIGTERM), 141 (SIGPIPE).
 * process.exit will not do: it takes worker threads down first, and ONNX Runtime aborts where it is still computing.
 */
export function endBy(signal: 'SIGINT' | 'SIGTERM' | 'SIGPIPE'): void {
  // Node ignores SIGPIPE; taking the last listener away brings back what the system does.
  process.on(signal, () => {});
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
