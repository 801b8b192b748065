/**
 * Owns the reading of a declaration file (.d.ts) as the compiler writes it: statements of the top level with their doc
 * comments. The compiler has no interface for that which is meant to stay, and its output is regular. Refuses to
 * understand types: a declaration stays text.
 */

export interface Declaration {
  readonly name: string;
  /** `interface`, `type`, `class`, `function`, `const`. */
  readonly kind: string;
  /** Without the stars; undefined if there is none. */
  readonly doc: string | undefined;
  /** As a reader wants it: without `export declare`, indented by two. */
  readonly code: string;
}

/** A name that a file passes on from another one. */
export interface PassedOn {
  readonly name: string;
  readonly from: string;
}

export interface DeclarationFile {
  readonly declarations: readonly Declaration[];
  readonly passedOn: readonly PassedOn[];
}

export function readDeclarations(text: string): DeclarationFile {
  const declarations: Declaration[] = [];
  const passedOn: PassedOn[] = [];
  for (const { doc, code } of splitStatements(text)) {
    const [, kind, name] = /^export (?:declare )?(?:abstract )?(interface|type|class|function|const) (\w+)/.exec(code) ?? [];
    const [, names, from] = /^export (?:type )?\{([^}]*)\} from ['"]([^'"]+)['"]/.exec(code) ?? [];
    if (kind !== undefined && name !== undefined) declarations.push({ name, kind, doc, code: tidy(code) });
    else if (names !== undefined && from !== undefined)
      for (const entry of names.split(',')) if (entry.trim() !== '') passedOn.push({ name: entry.trim().replace(/^type /, ''), from });
  }
  return { declarations, passedOn };
}

interface Statement {
  readonly doc: string | undefined;
  readonly code: string;
}

/** One token: a doc comment, another comment, a string, a bracket, a semicolon, anything else. */
const tokens = /\/\*[\s\S]*?\*\/|\/\/.*|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|[\s\S]/g;

/** Statements end with a semicolon, or with the brace of a body. */
function splitStatements(text: string): Statement[] {
  const statements: Statement[] = [];
  let [doc, code, depth]: [string | undefined, string, number] = [undefined, '', 0];
  for (const [token] of text.matchAll(tokens)) {
    if (code === '' && token.startsWith('/*')) doc = token.startsWith('/**') ? uncomment(token) : undefined;
    if (code === '' && /^(?:\s|\/[*/])/.test(token)) continue;
    code += token;
    if ('({['.includes(token)) depth++;
    if (')}]'.includes(token)) depth--;
    const isBody = token === '}' && /^(?:export )?(?:declare )?(?:abstract )?(?:interface|class|namespace)\b/.test(code);
    if (depth > 0 || !(token === ';' || isBody)) continue;
    statements.push({ doc, code });
    [doc, code] = [undefined, ''];
  }
  return statements;
}

function uncomment(comment: string): string {
  const lines = comment.slice(3, -2).split('\n');
  return lines
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}

function tidy(code: string): string {
  return code
    .replace(/^export (?:declare )?/, '')
    .split('\n')
    .filter((line) => !/^\s+(?:private |#private)/.test(line))
    .map((line) =>
      line
        .replace(/^( {4})+/, (indent) => ' '.repeat(indent.length / 2))
        .replace(/^ \|/, '|')
        .trimEnd(),
    )
    .join('\n');
}

/** Methods without a doc comment. */
export function undocumentedMethods({ kind, code }: Declaration): string[] {
  if (kind !== 'interface' && kind !== 'class') return [];
  const lines = code.split('\n');
  return lines.flatMap((line, i) => {
    const [, name] = /^ {2}(\w+)\(/.exec(line) ?? [];
    return name === undefined || name === 'constructor' || lines[i - 1]?.trim().endsWith('*/') ? [] : [name];
  });
}
