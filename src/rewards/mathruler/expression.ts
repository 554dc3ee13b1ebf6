/**
 * Are two expressions equal? Stands in for mathruler's sympy.simplify(a − b) == 0 on what answers hold: numbers,
 * + − * / **, implicit multiplication, roots, π, factorials and at most two unknowns. Decimals are doubles, as
 * sympy's are, and must agree exactly; exact expressions are compared to 12 digits, those with unknowns at three
 * points. What does not parse is unequal.
 */

/** Throws nothing. */
export function equalExpressions(a: string, b: string): boolean {
  const joined = `(${a})-(${b})`;
  if (joined.length > longest || !mayEvaluate(joined)) return false;
  const [left, right] = [parse(a), parse(b)];
  if (left === null || right === null) return false;
  const decimal = /[0-9]\.|\.[0-9]|[0-9]e[+-]?[0-9]/.test(joined);
  return points.every((point) => {
    const [x, y] = [left(point), right(point)];
    if (!Number.isFinite(x) || !Number.isFinite(y)) return false;
    return decimal ? x - y === 0 : Math.abs(x - y) <= 1e-12 * Math.max(1, Math.abs(x), Math.abs(y));
  });
}

/** mathruler's should_allow_eval: no unknown text, no powers that may take for ever. */
function mayEvaluate(expression: string): boolean {
  const letters = expression.replaceAll('sqrt', '').replaceAll('frac', '').match(/\p{L}/gu) ?? [];
  if (new Set(letters).size > 2) return false;
  return (
    !['^{', '^('].some((bad) => expression.includes(bad)) && !/\^[0-9]+\^|\^[0-9][0-9]+/.test(expression)
  );
}

const longest = 2000;
const points = [0.7310585786300049, 1.618033988749895, 2.23606797749979];

/** An expression's value where its unknowns stand at a point. */
type Evaluate = (point: number) => number;

const tokenPattern =
  /\s*(?:([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?|[0-9]+\.)|(sqrt|pi|ln|\p{L})|(\*\*|[-+*/^()!]))/uy;

function tokenize(text: string): string[] | null {
  const tokens: string[] = [];
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < text.length) {
    const match = tokenPattern.exec(text);
    if (match === null) return null;
    tokens.push(match[1] ?? match[2] ?? match[3]);
  }
  return tokens;
}

const functions: Record<string, (x: number) => number> = { sqrt: Math.sqrt, ln: Math.log };

function parse(text: string): Evaluate | null {
  const tokens = tokenize(text);
  if (tokens === null) return null;
  let at = 0;
  let depth = 0;

  const sum = (): Evaluate => {
    let left = product();
    while (tokens[at] === '+' || tokens[at] === '-') {
      const [before, sign] = [left, tokens[at++] === '+' ? 1 : -1];
      const after = product();
      left = (p) => before(p) + sign * after(p);
    }
    return left;
  };
  const product = (): Evaluate => {
    let left = signed();
    for (let token = tokens[at]; token === '*' || token === '/' || startsFactor(token); token = tokens[at]) {
      if (token === '*' || token === '/') at++;
      const [before, after] = [left, signed()];
      left = token === '/' ? (p) => before(p) / after(p) : (p) => before(p) * after(p);
    }
    return left;
  };
  const signed = (): Evaluate => {
    let sign = 1;
    while (tokens[at] === '+' || tokens[at] === '-') sign *= tokens[at++] === '-' ? -1 : 1;
    const value = power();
    return sign === 1 ? value : (p) => -value(p);
  };
  const power = (): Evaluate => {
    const base = factorial();
    if (tokens[at] !== '**' && tokens[at] !== '^') return base;
    at++;
    const exponent = nested(signed);
    return (p) => base(p) ** exponent(p);
  };
  const factorial = (): Evaluate => {
    let value = atom();
    while (tokens[at] === '!') {
      at++;
      const inner = value;
      value = (p) => factorialOf(inner(p));
    }
    return value;
  };
  const atom = (): Evaluate => {
    const token = tokens[at++];
    if (token === '(') return bracketed();
    if (token in functions) {
      if (tokens[at++] !== '(') throw new SyntaxError();
      const inner = bracketed();
      return (p) => functions[token](inner(p));
    }
    if (token === 'pi') return () => Math.PI;
    if (/^\p{L}$/u.test(token)) return (p) => p + (token.codePointAt(0)! % 17) / 7;
    // Python has no integers with leading zeros.
    if (!/^[0-9.]/.test(token) || /^0+[1-9][0-9]*$/.test(token)) throw new SyntaxError();
    const value = Number(token);
    return () => value;
  };
  const bracketed = (): Evaluate => {
    const inside = nested(sum);
    if (tokens[at++] !== ')') throw new SyntaxError();
    return inside;
  };
  const nested = (rule: () => Evaluate): Evaluate => {
    if (++depth > 100) throw new SyntaxError();
    const inside = rule();
    depth--;
    return inside;
  };

  try {
    const value = sum();
    return at === tokens.length ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

function startsFactor(token: string | undefined): boolean {
  return token !== undefined && /^[0-9.(\p{L}]/u.test(token);
}

function factorialOf(n: number): number {
  if (!Number.isInteger(n) || n < 0 || n > 170) return Number.NaN;
  let value = 1;
  for (let i = 2; i <= n; i++) value *= i;
  return value;
}
