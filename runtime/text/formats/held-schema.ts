/**
 * Owns what is asked of a tool's schema before its arguments are written as a grammar: which kinds of value a part of it takes, what it refers to, and the part as
 * a schema of its own. Refuses by keyword, which is of the standard or ours: names of properties and other keys are the client's, so they are not said.
 */
import { InwardError } from '../../errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;
export type Kind = 'string' | 'number' | 'boolean' | 'null' | 'array' | 'object';

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

export function refuse(keyword: string): InwardError {
  return new InwardError('grammar_unenforceable', { keyword, path: '#' });
}

const toDefinition = /^#\/(\$defs|definitions)\/([^/%~]+)$/;

export class ToolSchema {
  readonly root: JsonObject;
  /** By kind and reference; a reference to itself adds nothing. */
  readonly #known = new Map<string, boolean>();

  constructor(root: JsonObject) {
    this.root = root;
  }

  /** Whether a value of this kind may meet the part, as far as types, lists of values and what joins schemas say so. Throws grammar_unenforceable. */
  canBe(part: unknown, kind: Kind): boolean {
    if (!isObject(part)) return part !== false;
    const inner = (other: unknown): boolean => this.canBe(other, kind);
    const { type, enum: listed, const: constant, $ref: reference, allOf, anyOf, oneOf } = part;
    const types = type === undefined ? undefined : [type].flat();
    return (
      (types === undefined || types.includes(kind) || (kind === 'number' && types.includes('integer'))) &&
      (!Array.isArray(listed) || listed.some((value) => kindOf(value) === kind)) &&
      (!Object.hasOwn(part, 'const') || kindOf(constant) === kind) &&
      (reference === undefined || this.#canReferenceBe(String(reference), kind)) &&
      (!Array.isArray(allOf) || allOf.every(inner)) &&
      [anyOf, oneOf].every((list) => !Array.isArray(list) || list.some(inner))
    );
  }

  #canReferenceBe(reference: string, kind: Kind): boolean {
    const key = `${kind}${reference}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, false);
    const found = this.canBe(this.follow(reference), kind);
    this.#known.set(key, found);
    return found;
  }

  /** What `$ref` means: the whole, or one of its definitions. Throws grammar_unenforceable. */
  follow(reference: string): unknown {
    if (reference === '#') return this.root;
    const [, list, name] = toDefinition.exec(reference) ?? [];
    const definitions = list === undefined ? undefined : this.root[list];
    const found = isObject(definitions) ? Object.entries(definitions).find(([key]) => key === name) : undefined;
    if (found === undefined) throw refuse('$ref (to anything but a definition)');
    return found[1];
  }

  /** JSON of a part as a schema of its own, which has the definitions of the whole where it needs them. Throws grammar_unenforceable. */
  write(part: JsonObject): string {
    const written = JSON.stringify(part);
    const references = Array.from(written.matchAll(/"\$ref":"((?:[^"\\]|\\.)*)"/g), ([, reference]) => reference as string);
    if (references.length === 0) return written;
    if (!references.every((reference) => toDefinition.test(reference))) throw refuse('$ref (to anything but a definition)');
    const { $defs, definitions } = this.root;
    return JSON.stringify({ ...part, ...($defs !== undefined && { $defs }), ...(definitions !== undefined && { definitions }) });
  }
}

function kindOf(value: unknown): Kind {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : (typeof value as Kind);
}
