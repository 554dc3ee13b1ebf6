/** Flags of commands that read records: what these may name as pictures (docs/pictures.md). */
import type { Command } from 'commander';
import type { PictureAccess } from '../data/pictures/access.ts';

export interface RecordFlags {
  root?: string;
  urls?: boolean;
}

export function withRecordFlags(command: Command): Command {
  return command
    .option('--root <dir>', "pictures may lie in this folder too; by default only in the records' own")
    .option('--urls', 'pictures may be http(s) URLs, which are fetched from public addresses and kept');
}

export function accessOf({ root, urls }: RecordFlags): PictureAccess {
  return { roots: root === undefined ? [] : [root], urls: urls ?? false };
}
