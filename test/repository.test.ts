/** What must not stand in any file of the repository: paths outside it, places packages come from, unfinished work. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const itself = 'test/repository.test.ts';

const forbidden: [what: string, pattern: RegExp][] = [
  ['a folder beside the repository', /\.\.\/shared\b/],
  ["one machine's path", /\/work\//],
  [
    'the host of a package registry',
    /registry\.(?:npmjs|yarnpkg)\.|\bnpmmirror\.|\bfiles\.pythonhosted\.|\bpypi\.org|\bstatic\.crates\.io|\b(?:deb|security)\.debian\.org|\brepo1?\.maven\.|\bproxy\.golang\.org|"resolved":/,
  ],
  ['a note of unfinished work', /\b(?:TODO|FIXME)\b/],
];

const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
  .split('\0')
  .filter((path) => path !== '' && path !== itself);

/** `FILE:LINE` of every match; files with a NUL byte are pictures and weights, not text. */
function matches(pattern: RegExp): string[] {
  return files.flatMap((path) => {
    const text = textOf(path);
    if (text === null || !pattern.test(text)) return [];
    return text.split('\n').flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}`] : []));
  });
}

function textOf(path: string): string | null {
  try {
    const text = readFileSync(`${root}${path}`, 'utf8');
    return text.includes('\0') ? null : text;
  } catch (error) {
    // Deleted in the working tree but not yet committed.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

describe('no file of the repository mentions', () => {
  it.each(forbidden)('%s', (_what, pattern) => {
    expect(matches(pattern)).toEqual([]);
  });
});

it('the search does find what stands in a file', () => {
  expect(matches(/^# SophiaVL$/m)).toEqual(['README.md:1']);
});
