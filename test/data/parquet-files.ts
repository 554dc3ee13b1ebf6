/** Parquet files for tests, by hyparquet-writer. */
import { writeFileSync } from 'node:fs';
import { parquetWriteBuffer } from 'hyparquet-writer';

export interface Row {
  problem_id: number;
  problem?: string;
  data_type?: string;
  problem_type?: string;
  solution?: string;
  data_source?: string;
  image?: { bytes: Uint8Array | null; path: string | null } | null;
}

const texts = ['problem', 'data_type', 'problem_type', 'solution', 'data_source'] as const;

/** Records with pictures in column `image`, as Hugging Face's Image feature has them. */
export function parquetBytes(rows: readonly Row[], rowGroupSize = 4, statistics = true): Uint8Array {
  const otherwise = ({ problem_id: id, image }: Row): Record<(typeof texts)[number], string> => ({
    problem: `question ${id}?`,
    data_type: image ? 'image' : 'text',
    problem_type: 'numerical',
    solution: `<answer>${id}</answer>`,
    data_source: 'TallyQA',
  });
  const whole = rows.map((row) => ({ image: null, ...otherwise(row), ...row }));
  const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8' } as const;
  return new Uint8Array(
    parquetWriteBuffer({
      rowGroupSize,
      statistics,
      columnData: ['problem_id' as const, ...texts, 'image' as const].map((name) => ({
        name,
        data: whole.map((row) => row[name]),
      })),
      schema: [
        { name: 'root', num_children: 7 },
        { name: 'problem_id', type: 'INT32', repetition_type: 'REQUIRED' },
        ...texts.map((name) => ({ name, ...text, repetition_type: 'REQUIRED' as const })),
        { name: 'image', repetition_type: 'OPTIONAL', num_children: 2 },
        { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
        { name: 'path', ...text, repetition_type: 'OPTIONAL' },
      ],
    }),
  );
}

export function writeParquet(
  file: string,
  rows: readonly Row[],
  rowGroupSize?: number,
  statistics?: boolean,
): void {
  writeFileSync(file, parquetBytes(rows, rowGroupSize, statistics));
}
