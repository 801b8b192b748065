/**
 * Owns the writing out of short loops and of the small arrays that they index, as plain statements and plain variables.
 * A driver that unrolls by itself gains nothing; SwiftShader does not, and runs a matmul several times faster this way.
 * Refuses loops that are not marked, bounds that are not known, and marked loops that are left early.
 *
 * `#unroll` stands on the line before `for (var i = 0u; i < BOUND; i++) {`, with BOUND a number or a constant of the variant.
 * An array variable of a function becomes variables where every use of it has an index that is known by then.
 */

type Constants = Readonly<Record<string, number | boolean>>;

const mark = /^[ \t]*#unroll\s+for \(var (\w+) = 0u; \1 < (\w+); \1\+\+\) \{/m;

/** The text with all marked loops and what arrays it can written out; `name` is for errors. */
export function unroll(text: string, constants: Constants, name: string): string {
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
    const uses = Array.from(scope.matchAll(new RegExp(`\\b${name}\\b(?:\\[([^\\][]*)\\])?`, 'g')), ([, index]) => indexOf(index, constants));
    if (count === undefined || uses.includes(undefined)) continue;
    const type = code.slice(start, comma).trim();
    const variables = Array.from({ length: count }, (_, i) => `var ${name}_${i}${kind}${type}${kind === ' = ' ? '()' : ''};`);
    const split = scope.replaceAll(new RegExp(`\\b${name}\\[([^\\][]*)\\]`, 'g'), (_, index: string) => `${name}_${indexOf(index, constants)}`);
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

/** A number or a constant, or two of them with an operator between. */
function indexOf(index: string | undefined, constants: Constants): number | undefined {
  const [, left = '', operator, right = ''] = /^(\w+)(?: ([-+*/%]) (\w+))?$/.exec(index?.trim() ?? '') ?? [];
  const [a, b] = [sizeOf(left, constants), sizeOf(right, constants)];
  if (operator === undefined || a === undefined || b === undefined) return operator === undefined ? a : undefined;
  return { '-': a - b, '+': a + b, '*': a * b, '/': Math.floor(a / b), '%': a % b }[operator];
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
