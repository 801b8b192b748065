/**
 * Owns the writing out of short loops and of the small arrays that they index, as plain statements and plain variables.
 * A driver that unrolls by itself gains nothing; SwiftShader does not, and runs a matmul several times faster this way.
 * Refuses loops that are not marked, bounds that are not known, and marked loops that are left early.
 *
 * `#unroll` stands on the line before `for (var i = 0u; i < BOUND; i++) {`, with BOUND a number or a constant of the variant or of the text (`const NAME = 8u / 2u;` at the start of a line).
 * An array variable of a function becomes variables where every use of it has an index that is known by then.
 */

type Constants = Readonly<Record<string, number | boolean>>;

const mark = /^[ \t]*#unroll\s+for \(var (\w+) = 0u; \1 < (\w+); \1\+\+\) \{/m;

/** The text with all marked loops and what arrays it can written out; `name` is for errors. */
export function unroll(text: string, given: Constants, name: string): string {
  const constants = withConstants(text, given);
  let code = text;
  for (let found = mark.exec(code); found !== null; found = mark.exec(code)) {
    const [head, variable = '', bound = ''] = found;
    const end = closing(code, found.index + head.length);
    const body = code.slice(found.index + head.length, end);
    if (/\b(?:break|continue|return)\b/.test(body)) throw new Error(`${name}: a loop over ${variable} is left early and cannot be unrolled`);
    const count = sizeOf(bound, constants);
    if (count === undefined) throw new Error(`${name}: the loop over ${variable} ends at ${bound}, which is not known`);
    const turns = Array.from({ length: count }, (_, turn) => `{${body.replaceAll(new RegExp(`\\b${variable}\\b`, 'g'), `${turn}u`)}}`);
    code = code.slice(0, found.index) + turns.join('\n') + code.slice(end + 1);
  }
  if (code.includes('#unroll')) throw new Error(`${name}: #unroll does not stand before a loop that it knows`);
  return splitArrays(code, constants);
}

/** `var x: array<T, N>;` and `var x = array<T, N>();` */
const declaration = /\bvar (\w+)(: | = )array</g;

function splitArrays(text: string, constants: Constants): string {
  let code = text;
  declaration.lastIndex = 0;
  for (let found = declaration.exec(code); found !== null; found = declaration.exec(code)) {
    const [head, name = '', kind] = found;
    const start = found.index + head.length;
    const typeEnd = closing(code, start, '<', '>');
    const comma = code.lastIndexOf(',', typeEnd);
    const count = sizeOf(code.slice(comma + 1, typeEnd).trim(), constants);
    const statementEnd = code.indexOf(';', typeEnd) + 1;
    const scopeEnd = closing(code, statementEnd);
    const scope = code.slice(statementEnd, scopeEnd);
    const uses = Array.from(scope.matchAll(new RegExp(`\\b${name}\\b(?:\\[([^\\][]*)\\])?`, 'g')), ([, index]) => evaluate(index, constants));
    if (count === undefined || uses.includes(undefined)) continue;
    const type = code.slice(start, comma).trim();
    const variables = Array.from({ length: count }, (_, i) => `var ${name}_${i}${kind}${type}${kind === ' = ' ? '()' : ''};`);
    const split = scope.replaceAll(new RegExp(`\\b${name}\\[([^\\][]*)\\]`, 'g'), (_, index: string) => `${name}_${evaluate(index, constants)}`);
    code = `${code.slice(0, found.index)}${variables.join(' ')}${split}${code.slice(scopeEnd)}`;
    // What it was an array of may be arrays.
    declaration.lastIndex = found.index;
  }
  return code;
}

function sizeOf(bound: string, constants: Constants): number | undefined {
  if (/^\d+u?$/.test(bound)) return Number.parseInt(bound, 10);
  const value = constants[bound];
  return typeof value === 'number' ? value : undefined;
}

/** Value of an expression of numbers and constants with + - * / % and parentheses, in unsigned whole numbers; undefined for any other. */
function evaluate(expression: string | undefined, constants: Constants): number | undefined {
  const tokens = expression?.match(/\w+|\S/g) ?? [];
  let at = 0;
  const factor = (): number => {
    const token = tokens[at++] ?? '';
    if (token !== '(') return sizeOf(token, constants) ?? Number.NaN;
    const value = sum();
    return tokens[at++] === ')' ? value : Number.NaN;
  };
  const product = (): number => {
    let value = factor();
    for (let operator = tokens[at]; operator === '*' || operator === '/' || operator === '%'; operator = tokens[at]) {
      at++;
      const right = factor();
      value = operator === '*' ? value * right : operator === '/' ? Math.floor(value / right) : value % right;
    }
    return value;
  };
  const sum = (): number => {
    let value = product();
    for (let operator = tokens[at]; operator === '+' || operator === '-'; operator = tokens[at]) {
      at++;
      const right = product();
      value = operator === '+' ? value + right : value - right;
    }
    return value;
  };
  const value = sum();
  return at === tokens.length && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** Those of the text that are whole numbers, besides the given ones. */
function withConstants(text: string, given: Constants): Constants {
  const all: Record<string, number | boolean> = { ...given };
  for (const [, name = '', expression] of text.matchAll(/^const (\w+) = ([^;]+);$/gm)) {
    const value = evaluate(expression, all);
    if (value !== undefined) all[name] = value;
  }
  return all;
}

/** Where the bracket closes that was opened before `from`. */
function closing(code: string, from: number, open = '{', close = '}'): number {
  let depth = 1;
  for (let i = from; i < code.length; i++) {
    if (code[i] === open) depth++;
    else if (code[i] === close && --depth === 0) return i;
  }
  throw new Error(`a ${open} is not closed`);
}
