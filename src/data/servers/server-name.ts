/** How a model is named in what is written: a server without the parts of its address that may hold a secret. */

/** Whether a model is named by an address. */
export function isAddress(model: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(model);
}

/** A server's origin and path, without user, password, query and fragment; a folder, or `oracle`, as it stands. */
export function withoutSecrets(model: string): string {
  if (!isAddress(model)) return model;
  return model
    .replace(/[?#].*$/s, '')
    .replace(/^([^/]*\/\/)[^/]*@/, '$1')
    .replace(/\/+$/, '');
}
