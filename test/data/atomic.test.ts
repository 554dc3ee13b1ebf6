import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { restoreFolder, writeFileWhole, writeFolder } from '../../src/data/atomic.ts';
import { InputError, RunError } from '../../src/errors.ts';
import { temporaryFolder } from './folder.ts';

const module = JSON.stringify(new URL('../../src/data/atomic.ts', import.meta.url).href);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a piece of TypeScript in a process of its own, under a limit on file sizes (KiB) if one is given. */
function runScript(script: string, limitKiB?: number): string {
  const file = join(temporaryFolder(), 'script.mts');
  writeFileSync(file, `import { writeFileWhole, writeFolder } from ${module};\n${script}`);
  const limit = limitKiB === undefined ? '' : `ulimit -f ${limitKiB}; `;
  return execFileSync('bash', ['-c', `${limit}exec "$0" --import tsx "$1"`, process.execPath, file], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** Starts a script, waits for its first output and kills it with SIGKILL. */
async function killAfterOutput(script: string): Promise<void> {
  const file = join(temporaryFolder(), 'script.mts');
  writeFileSync(file, `import { writeFileWhole, writeFolder } from ${module};\n${script}`);
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGKILL');
  await ended;
}

const hold = `console.log('half-way'); setInterval(() => {}, 1000); await new Promise(() => {});`;

describe('writeFileWhole', () => {
  it('makes folders, replaces the file, leaves nothing beside it', async () => {
    const folder = temporaryFolder();
    await writeFileWhole(join(folder, 'a/b.txt'), 'one');
    await writeFileWhole(join(folder, 'a/b.txt'), ['t', Buffer.from('wo')]);
    expect(readFileSync(join(folder, 'a/b.txt'), 'utf8')).toBe('two');
    expect(readdirSync(join(folder, 'a'))).toEqual(['b.txt']);
  });

  it('keeps the old file when the data fails half-way', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'f');
    writeFileSync(file, 'old');
    async function* broken() {
      yield 'new';
      throw new InputError('no more');
    }
    await expect(writeFileWhole(file, broken())).rejects.toThrow(InputError);
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['f']);
  });

  it('says in one line that there is no room, and leaves the old file and nothing else', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'f');
    writeFileSync(file, 'old');
    const said = runScript(
      `try { await writeFileWhole(${JSON.stringify(file)}, Buffer.alloc(1 << 20)); console.log('written'); }
       catch (error) { console.log(error.name + '|' + error.message); }`,
      64,
    );
    expect(said).toMatch(/^RunError\|.*\/f: cannot write: .*larger than this system allows.*\n$/);
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['f']);
  });

  it('says in one line that the path goes through a file', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    await expect(writeFileWhole(join(folder, 'file/below'), 'x')).rejects.toThrow(RunError);
  });

  it('killed before the rename: the old file stands, and the next write clears the remains', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'f');
    writeFileSync(file, 'old');
    await killAfterOutput(
      `async function* slow() { yield 'new'; ${hold} }
       await writeFileWhole(${JSON.stringify(file)}, slow());`,
    );
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toHaveLength(2);
    await writeFileWhole(file, 'newer');
    expect(readFileSync(file, 'utf8')).toBe('newer');
    expect(readdirSync(folder)).toEqual(['f']);
  });

  it('leaves alone what another target, or a living writer, has beside it', async () => {
    const folder = temporaryFolder();
    const others = [
      `.f.tmp-${process.ppid}-0-00000000`,
      '.g.tmp-999999999-0-00000000',
      '.f.tmp',
      'f.tmp-1-0-00000000',
    ];
    for (const name of others) writeFileSync(join(folder, name), '');
    await writeFileWhole(join(folder, 'f'), 'x');
    expect(readdirSync(folder).sort()).toEqual([...others, 'f'].sort());
  });
});

describe('writeFolder', () => {
  it('replaces a folder by a new one: what is not in the new one is gone', async () => {
    const folder = temporaryFolder();
    const target = join(folder, 'deep/ck');
    await writeFolder(target, async (dir) => writeFileSync(join(dir, 'old'), '1'));
    await writeFolder(target, async (dir) => {
      mkdirSync(join(dir, 'trainer'));
      writeFileSync(join(dir, 'trainer/new'), '2');
      expect(readdirSync(target)).toEqual(['old']);
    });
    expect(readdirSync(target)).toEqual(['trainer']);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['ck']);
  });

  it('leaves the old folder and nothing else when filling fails, with the error as it was', async () => {
    const folder = temporaryFolder();
    const target = join(folder, 'ck');
    await writeFolder(target, async (dir) => writeFileSync(join(dir, 'old'), '1'));
    const failing = writeFolder(target, async (dir) => {
      writeFileSync(join(dir, 'new'), '2');
      throw new InputError('bad tensor');
    });
    await expect(failing).rejects.toThrow(new InputError('bad tensor'));
    expect(readdirSync(target)).toEqual(['old']);
    expect(readdirSync(folder)).toEqual(['ck']);
  });

  it('leaves the old folder and nothing else when there is no room', () => {
    const folder = temporaryFolder();
    const target = join(folder, 'ck');
    mkdirSync(target);
    writeFileSync(join(target, 'old'), '1');
    const said = runScript(
      `import { writeFileSync } from 'node:fs';
       try { await writeFolder(${JSON.stringify(target)}, async (dir) => {
         writeFileSync(dir + '/small', 'fits');
         writeFileSync(dir + '/weights', Buffer.alloc(1 << 20));
       }); console.log('written'); }
       catch (error) { console.log(error.name + '|' + error.message); }`,
      64,
    );
    expect(said).toMatch(/^RunError\|.*\/ck: cannot write: .*\n$/);
    expect(readdirSync(target)).toEqual(['old']);
    expect(readdirSync(folder)).toEqual(['ck']);
  });

  it('killed while filling: the old folder stands, and the next write clears the remains', async () => {
    const folder = temporaryFolder();
    const target = join(folder, 'ck');
    await writeFolder(target, async (dir) => writeFileSync(join(dir, 'old'), '1'));
    await killAfterOutput(
      `import { writeFileSync } from 'node:fs';
       await writeFolder(${JSON.stringify(target)}, async (dir) => { writeFileSync(dir + '/half', ''); ${hold} });`,
    );
    expect(readdirSync(target)).toEqual(['old']);
    expect(readdirSync(folder)).toHaveLength(2);
    await writeFolder(target, async (dir) => writeFileSync(join(dir, 'new'), '2'));
    expect(readdirSync(target)).toEqual(['new']);
    expect(readdirSync(folder)).toEqual(['ck']);
  });

  it('killed between its two renames: the old folder comes back', async () => {
    const folder = temporaryFolder();
    const target = join(folder, 'ck');
    await writeFolder(target, async (dir) => writeFileSync(join(dir, 'old'), '1'));
    renameSync(target, join(folder, '.ck.old-999999999-0-0123abcd'));
    await restoreFolder(target);
    expect(readdirSync(target)).toEqual(['old']);

    renameSync(target, join(folder, '.ck.old-999999999-0-0123abcd'));
    const failing = writeFolder(target, async () => {
      throw new Error('again');
    });
    await expect(failing).rejects.toThrow('again');
    expect(existsSync(join(target, 'old'))).toBe(true);
    expect(readdirSync(folder)).toEqual(['ck']);
  });
});
