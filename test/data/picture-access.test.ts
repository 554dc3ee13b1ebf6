/** What a record may name as its picture: files below its own folder, and below others only where the user says so. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordPictures } from '../../src/data/chat/prompting.ts';
import { OWN_FOLDER, type PictureAccess } from '../../src/data/pictures/access.ts';
import { pictureUrl } from '../../src/data/pictures/data-url.ts';
import { encodePng, readPicture } from '../../src/data/pictures/images.ts';
import { loadRecord, openRecords } from '../../src/data/records/reader.ts';
import { InputError } from '../../src/errors.ts';
import { temporaryFolder } from './folder.ts';

const png = await encodePng(new Uint8Array(4 * 4 * 3).fill(9), 4, 4);

/** DIR/data/records.jsonl, whose pictures should be in DIR/data, and a picture of somebody's in DIR/private. */
function strangersData() {
  const dir = temporaryFolder();
  for (const name of ['data/images', 'private', 'more']) mkdirSync(join(dir, name), { recursive: true });
  for (const name of ['data/images/a.png', 'private/secret.png', 'more/b.png'])
    writeFileSync(join(dir, name), png);
  symlinkSync(join(dir, 'private/secret.png'), join(dir, 'data/images/link.png'));
  symlinkSync('../private', join(dir, 'data/folder'));
  symlinkSync('images/a.png', join(dir, 'data/inner.png'));
  symlinkSync('loop.png', join(dir, 'data/loop.png'));
  symlinkSync(join(dir, 'data'), join(dir, 'other-name'));
  return dir;
}
const record = (path: string) => ({
  problem_id: 1,
  problem: 'What is it?',
  data_type: 'image',
  problem_type: 'free-form',
  solution: 'x',
  path,
});
const file = (dir: string) => join(dir, 'data/records.jsonl');
async function open(dir: string, path: string, access: PictureAccess = OWN_FOLDER) {
  writeFileSync(file(dir), `${JSON.stringify(record(path))}\n`);
  return openRecords(file(dir), { access });
}
async function refused(dir: string, path: string): Promise<string> {
  const error = await open(dir, path).catch((caught) => caught);
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).not.toContain('\n');
  expect(error.message.startsWith(`${file(dir)}:1: path: `)).toBe(true);
  // and where nobody looks first, reading refuses it as well
  const direct = await Promise.resolve()
    .then(() => loadRecord(record(path), 's', file(dir)))
    .then(recordPictures)
    .catch((caught) => caught);
  expect(direct).toBeInstanceOf(InputError);
  expect(direct.message).not.toContain('\n');
  return error.message;
}

describe('a record reaches', () => {
  it.each(['images/a.png', './images/../images/a.png', 'inner.png'])('%s', async (path) => {
    const dir = strangersData();
    const first = await (await open(dir, path)).get(0);
    expect((await recordPictures(first))[0]).toMatchObject({ width: 4, height: 4 });
    expect(await pictureUrl(first.picture!, first.roots)).toMatch(/^data:image\/png/);
  });

  it('an absolute path in its folder, by whatever name the folder goes', async () => {
    const dir = strangersData();
    expect((await open(dir, join(dir, 'data/images/a.png'))).length).toBe(1);
    expect((await open(dir, join(dir, 'other-name/images/a.png'))).length).toBe(1);
    const named = await openRecords(join(dir, 'other-name/records.jsonl'));
    expect((await recordPictures(await named.get(0)))[0].width).toBe(4);
  });

  it('folders that the user names beside its own, and no others', async () => {
    const dir = strangersData();
    const access = { roots: [join(dir, 'more')], urls: false };
    for (const path of ['../more/b.png', join(dir, 'more/b.png'), 'images/a.png']) {
      const first = await (await open(dir, path, access)).get(0);
      expect((await recordPictures(first)).length).toBe(1);
    }
    await expect(open(dir, '../private/secret.png', access)).rejects.toThrow(/lies outside of/);
  });

  it('nothing by a link that poses as the data of a run', async () => {
    const dir = strangersData();
    mkdirSync(join(dir, 'set/trm'), { recursive: true });
    symlinkSync('../private', join(dir, 'set/data'));
    const rows = join(dir, 'set/trm/rows.jsonl');
    writeFileSync(rows, `${JSON.stringify(record('../data/secret.png'))}\n`);
    await expect(openRecords(rows)).rejects.toThrow('lies outside of');
    await expect(recordPictures(loadRecord(record('../data/secret.png'), 's', rows))).rejects.toThrow(
      'lies outside of',
    );
  });

  it('the pictures of its run, where a run wrote it', async () => {
    const dir = temporaryFolder();
    for (const name of ['data/images', 'trm', 'eval']) mkdirSync(join(dir, name), { recursive: true });
    writeFileSync(join(dir, 'data/images/a.png'), png);
    const row = `${JSON.stringify(record('../data/images/a.png'))}\n`;
    writeFileSync(join(dir, 'trm/held-out.jsonl'), row);
    writeFileSync(join(dir, 'eval/rows.jsonl'), row);
    const first = await (await openRecords(join(dir, 'trm/held-out.jsonl'))).get(0);
    expect((await recordPictures(first)).length).toBe(1);
    await expect(openRecords(join(dir, 'eval/rows.jsonl'))).rejects.toThrow(/lies outside of/);
  });
});

describe('a record does not reach', () => {
  it.each([
    ['../private/secret.png', /private\/secret\.png: lies outside of \S+data, .* data\.root .* --root$/],
    ['images/../../private/secret.png', /lies outside of/],
    ['images/link.png', /link\.png \(leads to \S+private\/secret\.png\): lies outside of/],
    ['folder/secret.png', /lies outside of/],
    ['loop.png', /no such picture: /],
    ['images', /not a file: /],
    ['/dev/zero', /not a file: /],
    ['/etc/hostname', /lies outside of/],
    ['images/none.png', /no such picture: /],
    ['images/a.png\0.png', /holds a NUL character/],
    ['images\\a.png', /holds a backslash; write folders with \/$/],
    ['file:///etc/hostname', /addresses of the kind file: are not read/],
    ['data:image/png;base64,AAAA', /addresses of the kind data: are not read/],
    [`images/${'a'.repeat(300)}.png`, /no such picture: /],
    [`${'a/'.repeat(3000)}a.png`, /is 6005 characters long/],
    ['https://example.test/a.png?key=secret', /^[^?]*a\.png: is a URL; pictures are fetched only where/],
    ['private.parquet#0', /no such picture: /],
    ['../private/secret.parquet#3', /no such picture: /],
    ['two\nlines.png', /no such picture: \S+two lines\.png$/],
  ])('%s', async (path, message) => {
    const dir = strangersData();
    expect(await refused(dir, path)).toMatch(message);
  });

  it('a row of a Parquet file outside of its folder', async () => {
    const dir = strangersData();
    writeFileSync(join(dir, 'private/rows.parquet'), 'PAR1');
    expect(await refused(dir, '../private/rows.parquet#0')).toMatch(/rows\.parquet: lies outside of/);
  });

  it.runIf(process.platform !== 'win32')('a pipe, for which nothing waits', async () => {
    const dir = strangersData();
    execFileSync('mkfifo', [join(dir, 'data/images/pipe.png')]);
    expect(await refused(dir, 'images/pipe.png')).toMatch(/not a file: /);
    await expect(readPicture(join(dir, 'data/images/pipe.png'))).rejects.toThrow(/is no regular file/);
  });

  it('what was put in the place of its picture after it was looked at', async () => {
    const dir = strangersData();
    const first = await (await open(dir, 'images/a.png')).get(0);
    renameSync(join(dir, 'data/images/link.png'), join(dir, 'data/images/a.png'));
    await expect(recordPictures(first)).rejects.toThrow(/lies outside of/);
    await expect(pictureUrl(first.picture!, first.roots)).rejects.toThrow(/lies outside of/);
  });
});

it('a URL is an address where the user allows it', async () => {
  const dir = strangersData();
  const records = await open(dir, 'https://example.test/a.png', { roots: [], urls: true });
  expect((await records.get(0)).picture).toBe('https://example.test/a.png');
});
