/** The execution provider a user names. */
import { InputError } from '../../errors.ts';
import { tryProvider } from './doctor/examine.ts';
import { PROVIDERS, type Provider } from './doctor/report.ts';

/** What may be named. */
export const providerNames = ['auto', ...PROVIDERS] as const;
export type ProviderName = (typeof providerNames)[number];

/** The provider to compute on. Throws InputError `FLAG NAME: …` where it does not run on this machine. */
export async function providerOf(flag: string, name: ProviderName): Promise<Provider> {
  if (name === 'auto' || name === 'cpu') return 'cpu';
  const probe = await tryProvider(name, 1);
  if (probe.runs) return name;
  throw new InputError(
    `${flag} ${name}: does not run here (${probe.why}); \`npx sophia doctor\` tells what does`,
  );
}
