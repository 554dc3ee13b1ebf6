/**
 * LaTeX to plain text, the part of pylatexenc's latex2text that answers need: fractions, roots, common
 * symbols; other commands vanish and their arguments stay. Follows mathruler 0.1.0 `_parse_latex`.
 */

/** Throws nothing; unbalanced braces are dropped. */
export function latexToExpression(latex: string): string {
  const source = latex
    .replaceAll('\\tfrac', '\\frac')
    .replaceAll('\\dfrac', '\\frac')
    // A blank keeps mixed numbers apart: 2\frac{1}{2}.
    .replaceAll('\\frac', ' \\frac');
  return readText(source).trim();
}

const symbols: Record<string, string> = {
  pi: 'pi',
  infty: 'inf',
  cup: 'U',
  cdot: '*',
  times: '*',
  div: '÷',
  circ: '∘',
  degree: '°',
  pm: '±',
  mp: '∓',
  le: '≤',
  leq: '≤',
  ge: '≥',
  geq: '≥',
  ne: '≠',
  neq: '≠',
  approx: '≈',
  angle: '∠',
  alpha: 'α',
  beta: 'β',
  gamma: 'γ',
  theta: 'θ',
  lambda: 'λ',
  mu: 'μ',
  sigma: 'σ',
  phi: 'ϕ',
  omega: 'ω',
  Delta: 'Δ',
  sin: 'sin',
  cos: 'cos',
  tan: 'tan',
  log: 'log',
  ln: 'ln',
  ldots: '…',
  dots: '…',
  quad: '  ',
  qquad: '    ',
  ' ': ' ',
  ',': ' ',
  ';': ' ',
  ':': ' ',
  '!': '',
  $: '$',
  '%': '%',
  '&': '&',
  '#': '#',
  _: '_',
  '{': '{',
  '}': '}',
};

const deepest = 100;

/** One recursive pass; its state is the position and the depth. */
function readText(source: string): string {
  let at = 0;
  let depth = 0;

  const text = (): string => {
    const out: string[] = [];
    while (at < source.length) {
      if (source[at] !== '}') out.push(piece());
      else if (depth > 0) break;
      else at++;
    }
    return out.join('');
  };
  /** One character, group, or command with its arguments. */
  const piece = (): string => {
    const char = source[at++];
    if (char === '{') return group();
    if (char === '~') return ' ';
    return char === '\\' ? command() : char;
  };
  const group = (): string => {
    if (depth >= deepest) return '';
    depth++;
    const inside = text();
    depth--;
    at++;
    return inside;
  };
  const command = (): string => {
    const match = commandName.exec(source.slice(at, at + 64));
    if (match === null) return '';
    at += match[0].length;
    const name = match[1];
    if (name === 'frac') return `${argument()}/${argument()}`;
    if (name !== 'sqrt') return symbols[name] ?? '';
    skipOptional();
    return `sqrt(${argument()})`;
  };
  const argument = (): string => {
    while (source[at] === ' ') at++;
    if (at >= source.length || source[at] === '}' || depth >= deepest) return '';
    depth++;
    const inside = piece();
    depth--;
    return inside;
  };
  const skipOptional = (): void => {
    const end = source[at] === '[' ? source.indexOf(']', at) : -1;
    if (end !== -1) at = end + 1;
  };
  return text();
}

const commandName = /^([A-Za-z]+|[^A-Za-z]) */;
