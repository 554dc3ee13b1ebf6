/** Foreign text in a message: on one line, and cut where it grows long. */

export function shortened(text: string, length = 160): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}
