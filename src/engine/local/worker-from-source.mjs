/** Entry of the engine's thread where the package runs from its sources: Node 20 reads TypeScript only with a loader. */
import { register } from 'tsx/esm/api';

register();
await import('./worker.ts');
