/** How the command line ends: exit codes and what stands on stderr, seen from outside through the built binary. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

function sophia(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [`${root}bin/sophia.js`, ...args], (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

describe('wrong input ends with exit code 2 and one line that says what to do', () => {
  it.each<[what: string, args: string[], line: RegExp]>([
    [
      'an unknown command',
      ['docter'],
      /^unknown command 'docter' \(Did you mean doctor\?\); see sophia --help$/,
    ],
    ['an unknown flag', ['--frobnicate'], /^unknown option '--frobnicate'; see sophia --help$/],
    [
      "a command's unknown flag",
      ['doctor', '--frobnicate'],
      /^unknown option '--frobnicate'; see sophia doctor --help$/,
    ],
    [
      'an argument too many',
      ['doctor', 'now'],
      /^too many arguments for 'doctor'.*; see sophia doctor --help$/,
    ],
    ['a file that is not there', ['trust', '--in', 'nowhere.jsonl'], /nowhere\.jsonl/],
  ])('%s', async (_what, args, line) => {
    const { code, stdout, stderr } = await sophia(...args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(line);
    expect(stderr).not.toMatch(/\bat .+:\d+:\d+/);
  });
});

describe('what is asked for goes to standard output', () => {
  it('--version prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
    expect(await sophia('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('--help lists the commands', async () => {
    const { code, stdout, stderr } = await sophia('--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of ['doctor', 'export', 'logprobs', 'reward', 'trust', 'world'])
      expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
  });

  it('no command at all is a question for help', async () => {
    expect(await sophia()).toEqual(await sophia('--help'));
  });
});
