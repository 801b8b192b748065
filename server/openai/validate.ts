/**
 * Owns the glue between zod and the wire: building blocks of schemas, and the first broken rule as an ApiError.
 * Refuses to pass on zod's own messages, values, or keys that the schema does not have.
 */
import { z } from 'zod';
import { ApiError } from './errors.ts';

/** What a JSON schema says of a schema whose rules zod cannot write down. */
export interface Documented {
  readonly json?: Readonly<Record<string, unknown>>;
  /** Of a list. */
  readonly items?: z.ZodType;
  readonly anyOf?: readonly z.ZodType[];
  /** That of them which may be without its `type`. */
  readonly untyped?: z.ZodType | undefined;
}
export const documented: WeakMap<object, Documented> = new WeakMap();

/** The same schema, with what is to be said of it. */
export function document<T extends z.ZodType>(schema: T, how: Documented): T {
  documented.set(schema, how);
  return schema;
}

/** Text that survives the way to UTF-8 and back. */
export const text: z.ZodType<string> = z.string().refine((value) => value.isWellFormed(), 'must be well-formed Unicode');

/** A whole number; zod's own `int` would name the limit of float64 where ours is meant. */
export function wholeNumber(low: number, high: number): z.ZodType<number> {
  return document(z.number().refine(Number.isInteger, 'must be a whole number').min(low).max(high), { json: { type: 'integer' } });
}

/** A field that is accepted and has no effect. */
export const ignored: z.ZodOptional<z.ZodUnknown> = z.unknown().optional();

/** A field that would change the answer and is not supported: only null, emptiness and the values given (its defaults) pass. */
export function unsupported(...neutral: readonly (string | number | boolean)[]): z.ZodType<unknown> {
  const schema = refuseUnless((value) => (typeof value === 'object' ? Object.keys(value).length === 0 : neutral.some((entry) => entry === value)), undefined);
  const empty = { type: ['array', 'object'], maxItems: 0, maxProperties: 0 };
  return document(schema, { json: { anyOf: [{ enum: [null, ...neutral] }, empty], description: 'every other value is refused by name' } }).optional();
}

/** The same by a question; `remedy` ends the sentence of the refusal, `json` is the schema of what passes. */
export function unsupportedUnless(isNeutral: (value: NonNullable<unknown>) => boolean, remedy?: string, json: Documented['json'] = {}): z.ZodType<unknown> {
  return document(refuseUnless(isNeutral, remedy), { json: { ...json, description: remedy ?? 'most values are refused by name' } }).optional();
}

/** Text of one of these kinds; `rule` says what else there might have been. */
export function oneOf(kinds: readonly string[], rule: string): z.ZodType<string> {
  return document(
    z.string().refine((value) => kinds.includes(value), rule),
    { json: { enum: kinds } },
  );
}

function refuseUnless(isNeutral: (value: NonNullable<unknown>) => boolean, remedy: string | undefined): z.ZodType<unknown> {
  return z.unknown().refine((value) => value === null || value === undefined || isNeutral(value), { params: { unsupported: remedy ?? true } });
}

/**
 * An object that is checked by the schema of its `type`, so that an error names what is wrong with that one; without a type by that of `standard`.
 * `kind` may not be loose: zod would read the fields that it does not know one by one, and the place in V8's code that does so remembers the last
 * name, which is a client's.
 */
export function byType<T>(
  shapes: Readonly<Record<string, z.ZodType<T>>>,
  kind: z.ZodObject<{ readonly type: z.ZodType<string | undefined> }, z.core.$strip>,
  standard?: string,
): z.ZodType<T> {
  const parseTyped = (value: object, type: string | undefined) =>
    type === undefined ? shapes[standard ?? '']!.safeParse({ ...value, type: standard }) : shapes[type]!.safeParse(value);
  const schema = z.unknown().transform((value, context): T => {
    const head = kind.safeParse(value);
    const result = head.success ? parseTyped(value as object, head.data.type) : head;
    if (result.success) return result.data as T;
    for (const issue of result.error.issues.slice(0, 1)) context.issues.push({ ...issue, input: undefined } as never);
    return z.NEVER;
  });
  return document(schema, { anyOf: Object.values(shapes), untyped: standard === undefined ? undefined : shapes[standard] });
}

/** An array whose check ends at its first bad element: a body full of bad elements must not become a heap full of issues. */
export function listOf<T>(element: z.ZodType<T>, limit: number, least = 1): z.ZodType<readonly T[]> {
  const schema = z
    .array(z.unknown())
    .min(least)
    .max(limit)
    .transform((items, context) => {
      const parsed: T[] = [];
      for (const [index, item] of items.entries()) {
        const result = element.safeParse(item);
        if (!result.success) {
          for (const issue of result.error.issues.slice(0, 1)) context.issues.push({ ...issue, path: [index, ...issue.path], input: undefined } as never);
          return z.NEVER;
        }
        parsed.push(result.data);
      }
      return parsed;
    });
  return document(schema, { items: element });
}

/** The value as the schema gives it; throws ApiError with the path and the rule. */
export function validate<T>(schema: z.ZodType<T>, value: unknown, known: readonly string[]): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw new ApiError('internal_error');
  const found = deepest(issue);
  const path = formatPath(found.path);
  if (found.code === 'unrecognized_keys') {
    throw new ApiError('unknown_parameter', { path, known: found.path.length === 0 ? known.join(', ') : 'only the fields of its documentation' });
  }
  const { unsupported: remedy } = found.code === 'custom' ? (found.params ?? {}) : {};
  if (remedy !== undefined) throw new ApiError('unsupported_parameter', { path, ...(typeof remedy === 'string' ? { remedy } : {}) });
  throw new ApiError('invalid_value', { path, rule: describeRule(found) });
}

type Issue = z.core.$ZodIssue;

/** Of a union's failures the one that got furthest: it belongs to the branch that the client meant. */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const inner = issue.errors.flatMap((branch) => branch.slice(0, 1)).map(deepest);
  const meant = inner.find((entry) => entry.path.length > 0 || entry.code !== 'invalid_type');
  return meant === undefined ? issue : ({ ...meant, path: [...issue.path, ...meant.path] } as Issue);
}

function describeRule(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${article(issue.expected)}`;
    case 'too_small':
      return `must ${measure(issue.origin)} ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
    case 'too_big':
      return `must ${measure(issue.origin)} ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`;
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'invalid_union':
      // None of a union whose members have a field that tells them apart.
      if ('options' in issue && issue.options !== undefined) return `must be one of ${issue.options.map(String).join(', ')}`;
      return `must be ${issue.errors.flatMap((branch) => (branch[0]?.code === 'invalid_type' ? [article(branch[0].expected)] : [])).join(' or ')}`;
    case 'custom':
      return issue.message;
    default:
      return 'breaks a rule of its schema';
  }
}

const measures: Readonly<Record<string, string>> = { string: 'have a length of', array: 'have a length of' };
const measure = (origin: string): string => measures[origin] ?? 'be';
const article = (name: string): string => `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;

/** `messages[0].content`; only names of the schema and indices get here, because every object is strict. */
function formatPath(path: readonly PropertyKey[]): string {
  const joined = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return joined === '' ? 'body' : joined.replace(/^\./, '');
}
