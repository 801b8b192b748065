/**
 * Owns the types of what we use of @huggingface/jinja, its interpreter's inner steps included, which we override: the package's own types name
 * their files without extension, which does not resolve in an ES module. The package is pinned, and test/runtime/text/jinja holds it to this.
 */
declare module '@huggingface/jinja' {
  /** A value of a template; `type` says which ('StringValue', 'ArrayValue' ...). */
  export interface Value {
    readonly type: string;
    value: unknown;
    readonly builtins: ReadonlyMap<string, Value>;
    __bool__(): { readonly value: boolean };
  }

  /** A part of a parsed template; what it has besides depends on `type`. */
  export interface Node {
    readonly type: string;
    readonly [key: string]: unknown;
  }

  export class Environment {
    constructor(parent?: Environment);
    readonly variables: Map<string, Value>;
    readonly tests: ReadonlyMap<string, (...values: Value[]) => boolean>;
    /** Declares a variable; its value becomes one of a template. */
    set(name: string, value: unknown): Value;
    setVariable(name: string, value: Value): Value;
    lookupVariable(name: string): Value;
  }

  export class Interpreter {
    constructor(environment: Environment);
    run(program: Node): Value;
    evaluate(node: Node | undefined, environment: Environment): Value;
    protected evaluateArguments(args: readonly Node[], environment: Environment): [Value[], Map<string, Value>];
    protected applyFilter(operand: Value, filter: Node, environment: Environment): Value;
    protected evaluateBinaryExpression(node: Node, environment: Environment): Value;
    protected evaluateMemberExpression(node: Node, environment: Environment): Value;
    protected evaluateTestExpression(node: Node, environment: Environment): Value;
    protected evaluateBlock(statements: readonly Node[], environment: Environment): Value;
    protected evaluateFor(node: Node, environment: Environment): Value;
    protected evaluateMacro(node: Node, environment: Environment): Value;
  }

  export function tokenize(source: string, options: { readonly lstrip_blocks: boolean; readonly trim_blocks: boolean }): unknown[];
  export function parse(tokens: unknown[]): Node;
}
