/** The execution provider a user names. */
import { InputError } from '../../errors.ts';
import { tryProvider } from './doctor/examine.ts';
import { PROVIDERS, type Provider } from './doctor/report.ts';

/** What may be named. */
export const providerNames = ['auto', ...PROVIDERS] as const;
export type ProviderName = (typeof providerNames)[number];

/** The provider to compute on; `named` is how the user named it. Throws InputError `NAMED does not run here …`. */
export async function providerOf(named: string, name: ProviderName): Promise<Provider> {
  if (name === 'auto' || name === 'cpu') return 'cpu';
  const probe = await tryProvider(name, 1);
  if (probe.runs) return name;
  throw new InputError(`${named} does not run here (${probe.why}); \`npx sophia doctor\` tells what does`);
}
