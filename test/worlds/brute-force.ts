/**
 * A second oracle and a second solver, written from the description of the world alone and as plainly as possible:
 * they share no code with src/worlds. Slow, and only good for 3×3 grids.
 */

const CELLS = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'c1', 'c2', 'c3'];
const BEYOND = ['a4', 'b4', 'c4', 'd1', 'd2', 'd3', 'd4'];
// Python's white space.
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

export interface Facts {
  cells: (string | null)[];
  relevant: string[];
  /** The question, from which the rule is read. */
  problem: string;
  answer: string;
}

export interface Verdicts {
  right: boolean;
  score: number;
  style: string;
  verdicts: string[];
}

export function bruteOracle(facts: Facts, response: string): Verdicts {
  const broken = { right: false, score: 0, style: 'broken', verdicts: [] };
  for (const tag of ['<think>', '</think>', '<answer>', '</answer>'])
    if (response.split(tag).length !== 2) return broken;
  const spaced = response.replace(/<\/?(?:think|answer)>/g, ' $& ');
  const tokens = spaced.split(SPACE).filter(Boolean);
  const closing = tokens.indexOf('</think>');
  if (tokens[0] !== '<think>' || tokens[closing + 1] !== '<answer>' || tokens.at(-1) !== '</answer>')
    return broken;
  if (tokens.indexOf('<answer>') !== closing + 1) return broken;
  const think = tokens.slice(1, closing);
  const answer = tokens.slice(closing + 2, -1).join(' ');

  // Where statements begin: at keywords, or one earlier where an option letter stands before a cell's name.
  const begins = new Set<number>(think.length > 0 ? [0] : []);
  think.forEach((word, k) => {
    if (CELLS.includes(word)) begins.add(k > 0 && /^[ABC]$/.test(think[k - 1]) ? k - 1 : k);
    else if (BEYOND.includes(word) || ['so', 'note', 'clearly'].includes(word)) begins.add(k);
  });
  const places = [...begins].sort((a, b) => a - b);
  const statements = places.map((from, i) => think.slice(from, places[i + 1] ?? think.length));

  const choice = facts.problem.includes('which cell has');
  const stated: Record<string, string> = {};
  let conclusion: string | undefined;
  const concluded: string[] = [];
  const verdicts = statements.map((words): string => {
    if (words[0] === 'note') return 'hearsay';
    if (words[0] === 'so') {
      conclusion = words.slice(1).join(' ');
      concluded.push(conclusion);
      if (conclusion !== '' && concluded.indexOf(conclusion) < concluded.length - 1) return 'repeated';
      if (!facts.relevant.every((cell) => cell in stated)) return 'unsupported';
      return solve(facts.problem, (cell) => stated[cell], facts.relevant) === conclusion
        ? 'follows'
        : 'unsupported';
    }
    const letter = /^[ABC]$/.test(words[0]) ? words[0] : '';
    const [cell, ...rest] = letter ? words.slice(1) : words;
    if (!CELLS.includes(cell) || rest.length === 0) return 'filler';
    const content = rest.join(' ');
    const known = cell in stated;
    if (!known) stated[cell] = content;
    if (letter && !(choice && facts.relevant.indexOf(cell) === 'ABC'.indexOf(letter))) return 'false';
    if (known) return 'repeated';
    if (facts.cells[CELLS.indexOf(cell)] !== content) return 'false';
    return facts.relevant.includes(cell) ? 'true' : 'irrelevant';
  });
  verdicts.push(answer === conclusion ? 'consistent' : 'inconsistent');

  let points = 0;
  for (const verdict of verdicts) {
    if (verdict === 'true' || verdict === 'follows' || verdict === 'consistent') points += 1;
    if (verdict === 'false') points -= 0.5;
  }
  const score = points / Math.max(facts.relevant.length + 2, verdicts.length);
  const style = think.includes('note')
    ? 'shortcut'
    : think.includes('clearly')
      ? 'sloppy'
      : think.some((word) => CELLS.includes(word))
        ? 'listing'
        : 'other';
  return { right: answer === facts.answer, score: score < 0 ? 0 : score > 1 ? 1 : score, style, verdicts };
}

/** Answers a question by its words; null where there is no answer. */
export function solve(
  problem: string,
  contentOf: (cell: string) => string,
  relevant: string[],
): string | null {
  const question = problem.replace(/^.*? \. /, '');
  const contents = relevant.map((cell) => contentOf(cell));
  const counted = /^how many (\S+) in/.exec(question);
  if (counted) return String(contents.filter((content) => content.split(' ').includes(counted[1])).length);
  if (question.startsWith('sum of')) {
    let sum = 0;
    for (const content of contents)
      if (/^[1-4]$/.test(content.split(' ')[0])) sum += Number(content.split(' ')[0]);
    return sum > 0 && sum < 17 ? String(sum) : null;
  }
  const wanted = /^which cell has (.+?) \?/.exec(question);
  if (wanted) {
    const fits = contents.map((content) => content === wanted[1]);
    return fits.filter(Boolean).length === 1 ? 'ABC'[fits.indexOf(true)] : null;
  }
  if (question.startsWith('read')) {
    const letters = contents
      .map((content) => content.split(' ')[0])
      .filter((word) => /^[HKLORSTU]$/.test(word));
    return letters.length > 0 ? letters.join(' ') : null;
  }
  return contents[1];
}

/** The cells an answer rests on, read from the question's words. */
export function relevantCells(problem: string): string[] {
  const question = problem.replace(/^.*? \. /, '').replace(/ note says .*$/, '');
  const neighbour = /^what is (left|right|above|below) of (\S)(\d) \?$/.exec(question);
  if (!neighbour) return question.match(/\b[abc][123]\b/g)!;
  const [, direction, row, column] = neighbour;
  const down = { above: -1, below: 1 }[direction] ?? 0;
  const right = { left: -1, right: 1 }[direction] ?? 0;
  const other = `${'abc'['abc'.indexOf(row) + down]}${Number(column) + right}`;
  return [row + column, other];
}
