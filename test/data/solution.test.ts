import { describe, expect, it } from 'vitest';
import { solutionFault } from '../../src/data/check/solution.ts';
import { parseRecord } from '../../src/data/records/record.ts';

const fault = (options: string[], solution: string) =>
  solutionFault(
    parseRecord(
      { problem_id: 1, problem: 'q', data_type: 'text', problem_type: 'multiple choice', options, solution },
      's',
    ),
  );

describe('a letter is one of the options', () => {
  it.each(['A. 3', 'A) 3', '(A) 3', 'A: 3', 'A 3'])('written as %s', (option) => {
    expect(fault([option], '<answer>A</answer>')).toBeNull();
    expect(fault([option], '<answer>B</answer>')).toContain('"B" is none of the options');
  });
});
