/**
 * Sheets of an .xlsx file, as Excel, openpyxl and xlsxwriter write it: rows of cells. What a file claims to hold is looked at
 * before it is unpacked, so that a small one that swells to gigabytes, or one with a cell in its last corner, costs no memory.
 */
import { readFile } from 'node:fs/promises';
import { strFromU8, unzipSync } from 'fflate';
import readSheets from 'read-excel-file/universal';
import { readError } from '../data/jsonl.ts';
import { shortened } from '../data/one-line.ts';
import { InputError } from '../errors.ts';

export interface SheetRows {
  name: string;
  rows: readonly (readonly unknown[])[];
}

const maxUnpackedBytes = 512 << 20;
const maxCells = 20_000_000;

/** Throws InputError `FILE: …`. */
export async function readXlsx(file: string): Promise<SheetRows[]> {
  const bytes = await readFile(file).catch((error) => {
    throw readError(error, file);
  });
  try {
    refuseSwelling(bytes, file);
    const sheets = await readSheets(toArrayBuffer(bytes), { trim: false });
    return sheets.map(({ sheet, data }) => ({
      name: sheet,
      rows: data.map((cells) => cells.map(withXmlLines)),
    }));
  } catch (error) {
    if (error instanceof InputError) throw error;
    const reason = shortened((error as Error).message);
    throw new InputError(`${file}: not a readable .xlsx file (${reason}); save it again, or as .tsv`);
  }
}

/** By the archive's own directory, which the unpacking holds to; then by the largest address in each sheet. */
function refuseSwelling(bytes: Buffer, file: string): void {
  let unpacked = 0;
  const sheets = unzipSync(bytes, {
    filter: ({ name, originalSize }) => {
      unpacked += originalSize;
      if (unpacked > maxUnpackedBytes)
        throw new InputError(
          `${file}: unpacks to more than ${maxUnpackedBytes >> 20} MB; is it a damaged file? Save the table as .tsv`,
        );
      return /^\/?xl\/worksheets\/[^/]+\.xml$/i.test(name);
    },
  });
  for (const [name, content] of Object.entries(sheets)) {
    const cells = claimedCells(strFromU8(content));
    if (cells > maxCells)
      throw new InputError(
        `${file}: ${name} spans ${cells} cells, more than ${maxCells}; delete what stands far outside the table`,
      );
  }
}

/** Rows times columns up to the furthest cell that is named. */
function claimedCells(xml: string): number {
  let rows = 0;
  let columns = 0;
  for (const [, letters, digits] of xml.matchAll(/\sr\s*=\s*["']\s*([A-Za-z]*)\s*(\d*)\s*["']/g)) {
    rows = Math.max(rows, Number(digits));
    let column = 0;
    for (const letter of letters.toUpperCase()) column = column * 26 + letter.charCodeAt(0) - 64;
    columns = Math.max(columns, column);
  }
  return rows * Math.max(columns, 1);
}

/** XML has one kind of line end (XML 1.0, section 2.11); the library leaves them as they are. */
function withXmlLines(cell: unknown): unknown {
  return typeof cell === 'string' && cell.includes('\r') ? cell.replace(/\r\n?/g, '\n') : cell;
}

function toArrayBuffer(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
