/**
 * Addresses of dataset repositories as Hugging Face's own clients write them:
 * `hf://datasets/OWNER/NAME[@REVISION][/PATH]`, where a slash in a revision is `%2F`.
 */
import { InputError } from '../../errors.ts';

export interface RepositoryAddress {
  /** OWNER/NAME. */
  name: string;
  /** A branch, a tag or a commit. */
  revision: string;
  /** A file, a folder or a pattern with `*`; '' for what the repository holds. */
  path: string;
}

const FORM = /^hf:\/\/datasets\/([\w.-]+\/[\w.-]+)(?:@([^/]+))?(?:\/(.*))?$/i;

/** Throws InputError. */
export function repositoryAddress(address: string): RepositoryAddress {
  const [, name, revision = 'main', path = ''] = FORM.exec(address) ?? [];
  const parts = path.split('/');
  if (name === undefined || name.split('/').some(isDots) || parts.some(isDots))
    throw new InputError(
      `${address}: must be hf://datasets/OWNER/NAME, with @REVISION and /PATH after it where wanted`,
    );
  return { name, revision: decoded(revision, address), path: path.replace(/\/+$/, '') };
}

const isDots = (part: string) => /^\.+$/.test(part);

function decoded(text: string, address: string): string {
  try {
    const revision = decodeURIComponent(text);
    if (/^[\w.-]+(\/[\w.-]+)*$/.test(revision) && !revision.split('/').some(isDots)) return revision;
  } catch {}
  throw new InputError(`${address}: @${text} is no revision; give a branch, a tag or a commit`);
}
