/** Whether any response could earn an outcome reward of a record: a solution that none can match teaches nothing. */

import { solutionAnswer } from '../../rewards/format.ts';
import { parsesAsDecimal } from '../../rewards/numerical.ts';
import { outcomeReward } from '../../rewards/outcome.ts';
import type { DataRecord } from '../records/record.ts';

/** What is wrong with the solution, or null. */
export function solutionFault({ problem_type, solution, options }: DataRecord): string | null {
  const answer = solutionAnswer(solution).trim();
  if (answer === '') return 'is empty; no answer can earn anything';
  if (problem_type === 'numerical' && !parsesAsDecimal(answer))
    return `${shown(answer)} is no plain number (sign, digits, point), and problem_type "numerical" knows no other`;
  if (problem_type === 'multiple choice' && options.length > 0) {
    const letters = options.map((option) => /^\s*\(?([A-Za-z0-9]+)(?:\s*[.):]|\s)/.exec(option)?.[1]);
    const known = new Set([...letters, ...options.map((option) => option.trim())]);
    const missing = answer.split(',').find((part) => !known.has(part.trim()));
    if (missing !== undefined && !known.has(answer))
      return `${shown(missing.trim())} is none of the options (${options
        .map((option) => shown(option))
        .join(', ')
        .slice(0, 120)})`;
  }
  const response = `<think></think><answer>${answer}</answer>`;
  const { reward } = outcomeReward({ problemType: problem_type, response, solution });
  return reward > 0 ? null : `${shown(answer)} earns nothing when it is answered to the letter`;
}

const shown = (text: string) => JSON.stringify(text.length > 40 ? `${text.slice(0, 39)}…` : text);
