/** MMMU's subjects by discipline: MMMU-Benchmark/MMMU, eval/data_utils.py at commit 0b043a8. */
import type { Row } from './benchmark.ts';

const subjects: Record<string, string[]> = {
  'Art and Design': ['Art', 'Art_Theory', 'Design', 'Music'],
  Business: ['Accounting', 'Economics', 'Finance', 'Manage', 'Marketing'],
  Science: ['Biology', 'Chemistry', 'Geography', 'Math', 'Physics'],
  'Health and Medicine': [
    'Basic_Medical_Science',
    'Clinical_Medicine',
    'Diagnostics_and_Laboratory_Medicine',
    'Pharmacy',
    'Public_Health',
  ],
  'Humanities and Social Science': ['History', 'Literature', 'Sociology', 'Psychology'],
  'Tech and Engineering': [
    'Agriculture',
    'Architecture_and_Engineering',
    'Computer_Science',
    'Electronics',
    'Energy_and_Power',
    'Materials',
    'Mechanical_Engineering',
  ],
};

const disciplines = new Map(
  Object.entries(subjects).flatMap(([discipline, names]) => names.map((name) => [name, discipline])),
);

/** Of an id `validation_Art_Theory_12`, or VLMEvalKit's column `category`; null where neither is there. */
export function subjectOf(row: Row): string | null {
  const inId = /^[^_]+_(.+)_\d+$/.exec(String(row.id ?? ''))?.[1];
  if (inId !== undefined) return inId;
  return typeof row.category === 'string' && row.category !== '' ? row.category : null;
}

export function disciplineOf(row: Row): string | null {
  const subject = subjectOf(row);
  if (subject === null) return null;
  const known = disciplines.get(subject.replaceAll(' ', '_'));
  return known ?? (typeof row['l2-category'] === 'string' ? row['l2-category'] : null);
}
