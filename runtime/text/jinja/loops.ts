/**
 * Owns the loops of templates: what is gone through, what is left out, and what the body sees. Each turn has variables of its own, as in Jinja2.
 */
import { Environment, type Node, type Value } from '@huggingface/jinja';
import { callable, dictionary, isEqual, isTrue, iterate, toValue, undefinedValue } from './values.ts';

type Evaluate = (node: Node | undefined, scope: Environment) => Value;

/** What the loop writes. */
export function runLoop(node: Node, environment: Environment, evaluate: Evaluate, writeBlock: (body: readonly Node[], scope: Environment) => string): string {
  const iterable = node['iterable'] as Node;
  const isFiltered = iterable.type === 'SelectExpression';
  const all = iterate(evaluate((isFiltered ? iterable['lhs'] : iterable) as Node, environment));
  const items = all.filter((item) => {
    if (!isFiltered) return true;
    const scope = new Environment(environment);
    bind(node['loopvar'] as Node, item, scope);
    return isTrue(evaluate(iterable['test'] as Node, scope));
  });
  if (items.length === 0) return writeBlock(node['defaultBlock'] as Node[], new Environment(environment));
  let written = '';
  let last: Value | undefined;
  for (const [place, item] of items.entries()) {
    const scope = new Environment(environment);
    bind(node['loopvar'] as Node, item, scope);
    const hasChanged = callable(([value = undefinedValue]) => {
      const isNew = last === undefined || !isEqual(last, value);
      last = value;
      return toValue(isNew);
    });
    scope.setVariable('loop', describeTurn(items, place, hasChanged));
    const turn = runTurn(() => writeBlock(node['body'] as Node[], scope));
    written += turn.written;
    if (turn.isLast) break;
  }
  return written;
}

/** How `break` and `continue` leave a turn, with what it had written so far. */
export class LoopExit extends Error {
  readonly isBreak: boolean;
  written = '';

  constructor(isBreak: boolean) {
    super();
    this.isBreak = isBreak;
  }
}

function runTurn(write: () => string): { readonly written: string; readonly isLast: boolean } {
  try {
    return { written: write(), isLast: false };
  } catch (error) {
    if (!(error instanceof LoopExit)) throw error;
    return { written: error.written, isLast: error.isBreak };
  }
}

function describeTurn(items: readonly Value[], place: number, changed: Value): Value {
  const numbers = {
    index: place + 1,
    index0: place,
    revindex: items.length - place,
    revindex0: items.length - place - 1,
    length: items.length,
    depth: 1,
    depth0: 0,
  };
  return dictionary([
    ...Object.entries(numbers).map(([name, value]) => [name, toValue(value)] as const),
    ['first', toValue(place === 0)],
    ['last', toValue(place === items.length - 1)],
    ['previtem', items[place - 1] ?? undefinedValue],
    ['nextitem', items[place + 1] ?? undefinedValue],
    ['cycle', callable((values) => values[place % values.length] ?? undefinedValue)],
    ['changed', changed],
  ]);
}

function bind(target: Node, item: Value, scope: Environment): void {
  if (target.type === 'Identifier') {
    scope.setVariable(target['value'] as string, item);
    return;
  }
  const names = target['value'] as readonly Node[];
  const values = iterate(item);
  if (values.length !== names.length) throw new TypeError('another count of values to unpack');
  for (const [i, name] of names.entries()) bind(name, values[i] as Value, scope);
}
