/**
 * Owns the running of chat templates as Jinja2 does in Python, set up as transformers sets it up. The parsing and most of the work are @huggingface/jinja's;
 * what is overridden here is where it is not Python: how values are written, compared and joined, methods of texts, filters, loops, macros.
 */
import { Environment, Interpreter, type Node, type Value } from '@huggingface/jinja';
import { formatTime } from './clock.ts';
import { type FilterHost, filters } from './filters.ts';
import { LoopExit, runLoop } from './loops.ts';
import { type Arithmetic, operate } from './operators.ts';
import { findTest } from './tests.ts';
import { findTextMethod } from './texts.ts';
import { callable, dictionary, isDictionary, isText, isUndefined, noneValue, text, toValue, tuple, undefinedValue, write } from './values.ts';

/** Elements. Source: jinja2 sandbox.py MAX_RANGE. */
const rangeLimit = 100_000;
/** An expression that has been evaluated. */
const given = (value: Value): Node => ({ type: 'Given', value });
/** Parts of a template that write nothing by themselves. */
const silent: ReadonlySet<string> = new Set(['Set', 'Macro', 'Comment']);

export class ChatInterpreter extends Interpreter {
  override evaluate(node: Node | undefined, environment: Environment): Value {
    switch (node?.type) {
      case 'Given':
        return node['value'] as Value;
      case 'TupleLiteral':
        return tuple((node['value'] as Node[]).map((item) => this.evaluate(item, environment)));
      case 'Break':
      case 'Continue':
        throw new LoopExit(node.type === 'Break');
      default:
        return super.evaluate(node, environment);
    }
  }

  protected override evaluateBlock(statements: readonly Node[], environment: Environment): Value {
    let written = '';
    for (const statement of statements) {
      const value = this.#evaluateOr(statement, environment, written);
      if (!silent.has(statement.type)) written += write(value);
    }
    return text(written);
  }

  /** What leaves a loop takes along what was written before it. */
  #evaluateOr(statement: Node, environment: Environment, written: string): Value {
    try {
      return this.evaluate(statement, environment);
    } catch (error) {
      if (error instanceof LoopExit) error.written = written + error.written;
      throw error;
    }
  }

  protected override evaluateFor(node: Node, environment: Environment): Value {
    const evaluate = (part: Node | undefined, scope: Environment): Value => this.evaluate(part, scope);
    return text(runLoop(node, environment, evaluate, (body, scope) => write(this.evaluateBlock(body, scope))));
  }

  /** A macro sees what was there where it was written, not where it is called; and the caller of a call block. */
  protected override evaluateMacro(node: Node, environment: Environment): Value {
    const result = super.evaluateMacro(node, environment);
    const macro = environment.lookupVariable((node['name'] as Node)['value'] as string);
    const run = macro.value as (args: Value[], scope: Environment) => Value;
    macro.value = (args: Value[], scope: Environment): Value => {
      const inner = new Environment(environment);
      const caller = scope.variables.get('caller');
      if (caller !== undefined) inner.setVariable('caller', caller);
      return run(args, inner);
    };
    return result;
  }

  protected override evaluateBinaryExpression(node: Node, environment: Environment): Value {
    const operator = (node['operator'] as { readonly value: string }).value;
    if (operator === 'and' || operator === 'or') return super.evaluateBinaryExpression(node, environment);
    const left = this.evaluate(node['left'] as Node, environment);
    const right = this.evaluate(node['right'] as Node, environment);
    const result = operate(operator as Arithmetic, left, right);
    return result ?? super.evaluateBinaryExpression({ ...node, left: given(left), right: given(right) }, environment);
  }

  protected override evaluateMemberExpression(node: Node, environment: Environment): Value {
    const object = this.evaluate(node['object'] as Node, environment);
    const property = node['property'] as Node;
    if (isUndefined(object)) throw new TypeError('what is undefined has no parts');
    const computed = node['computed'] === true && property.type !== 'SliceExpression' ? this.evaluate(property, environment) : undefined;
    const name = computed === undefined ? property['value'] : isText(computed) ? computed.value : undefined;
    if (isText(object) && typeof name === 'string') return findMethod(object.value, name);
    // Python finds a dictionary's methods before its keys where it is asked with a dot.
    if (isDictionary(object) && computed === undefined && typeof name === 'string')
      return object.builtins.get(name) ?? object.value.get(name) ?? undefinedValue;
    if (computed !== undefined && isDictionary(object) && !isText(computed)) return undefinedValue;
    return super.evaluateMemberExpression({ ...node, object: given(object), ...(computed === undefined ? {} : { property: given(computed) }) }, environment);
  }

  protected override evaluateTestExpression(node: Node, environment: Environment): Value {
    const value = this.evaluate(node['operand'] as Node, environment);
    return toValue(this.#test((node['test'] as Node)['value'] as string, [value], environment) !== (node['negate'] === true));
  }

  protected override applyFilter(operand: Value, node: Node, environment: Environment): Value {
    const isCall = node.type === 'CallExpression';
    const name = (isCall ? (node['callee'] as Node) : node)['value'] as string;
    const filter = filters.get(name);
    if (filter === undefined) return super.applyFilter(operand, node, environment);
    const [args, named] = isCall ? this.evaluateArguments(node['args'] as Node[], environment) : [[], new Map<string, Value>()];
    return filter(operand, args, named, this.#host(environment));
  }

  #host(scope: Environment): FilterHost {
    return {
      scope,
      filter: (name, operand, args) =>
        this.applyFilter(operand, { type: 'CallExpression', callee: { type: 'Identifier', value: name }, args: args.map(given) }, scope),
      test: (name, values) => this.#test(name, values, scope),
    };
  }

  #test(name: string, values: Value[], environment: Environment): boolean {
    const test = findTest(name) ?? environment.tests.get(name);
    if (test === undefined) throw new TypeError('no such test');
    return test(...values);
  }
}

function findMethod(content: string, name: string): Value {
  const method = findTextMethod(name);
  return method === undefined ? undefinedValue : callable((args, named) => method(content, args, named));
}

/** Where a template begins: what transformers gives every one, and `variables`. */
export function createGlobals(variables: Readonly<Record<string, unknown>>): Environment {
  const environment = new Environment();
  for (const name of ['true', 'True']) environment.set(name, true);
  for (const name of ['false', 'False']) environment.set(name, false);
  for (const name of ['none', 'None']) environment.setVariable(name, noneValue);
  environment.setVariable(
    'range',
    callable(([first, second, step]) => toValue(range(numberOf(first), second && numberOf(second), step && numberOf(step)))),
  );
  environment.setVariable(
    'dict',
    callable((_, named) => dictionary(named)),
  );
  environment.setVariable(
    'strftime_now',
    callable(([format]) => text(formatTime(write(format ?? undefinedValue), new Date()))),
  );
  environment.setVariable(
    'raise_exception',
    callable(() => {
      throw new TypeError('the template refuses');
    }),
  );
  for (const [name, value] of Object.entries(variables)) environment.setVariable(name, toValue(value));
  return environment;
}

const numberOf = (value: Value | undefined): number => {
  if (value?.type !== 'IntegerValue') throw new TypeError('a whole number is expected');
  return Number(value.value);
};

function range(first: number, second: number | undefined, step = 1): number[] {
  if (step === 0) throw new TypeError('a range goes somewhere');
  const [start, end] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (length > rangeLimit) throw new RangeError('a longer range than the sandbox gives');
  return Array.from({ length }, (_, i) => start + i * step);
}
