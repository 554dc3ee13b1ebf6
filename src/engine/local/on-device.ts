/** Whether a provider computes in a memory of its own, where tensors can stay. */
export function onDevice(provider: string): boolean {
  return provider === 'webgpu';
}
