/** Commands as a person types them. */

/** A path as a shell takes it. */
export function shellQuoted(path: string): string {
  return /^[\w./~-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
