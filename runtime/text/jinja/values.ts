/**
 * Owns the values of a template as Python sees them: how they are made, written, compared and gone through.
 * Refuses what Python refuses, by throwing.
 */
import { Environment, type Value } from '@huggingface/jinja';

/** A call: positional values, those by keyword, and where it is made. */
export type Call = (args: Value[], named: ReadonlyMap<string, Value>, scope: Environment) => Value;

/** The library exports no constructors of its values, but makes them. */
export const toValue = (value: unknown): Value => new Environment().set('value', value);
export const undefinedValue: Value = toValue(undefined);
export const noneValue: Value = toValue(null);
export const text = (value: string): Value => toValue(value);

export function list(items: Iterable<Value>): Value {
  const value = toValue([]);
  value.value = Array.from(items);
  return value;
}

/** What Python calls a generator: true in a condition, even if empty. */
export function generator(items: Iterable<Value>): Value {
  const value = list(items);
  value.__bool__ = () => ({ value: true });
  return value;
}

export function dictionary(entries: Iterable<readonly [string, Value]>): Value {
  const value = toValue({});
  value.value = new Map(entries);
  return value;
}

export function callable(call: Call): Value {
  const value = toValue(() => null);
  value.value = (args: Value[], scope: Environment): Value => {
    const last = args.at(-1);
    const named = last?.type === 'KeywordArgumentsValue' ? (last.value as ReadonlyMap<string, Value>) : new Map<string, Value>();
    return call(last?.type === 'KeywordArgumentsValue' ? args.slice(0, -1) : args, named, scope);
  };
  return value;
}

const safeTexts = new WeakSet<Value>();
const tuples = new WeakSet<Value>();

/** Text that `safe` has marked: what joins it is escaped. Source: markupsafe. */
export function markSafe(content: string): Value {
  const value = text(content);
  safeTexts.add(value);
  return value;
}
export const isSafe = (value: Value): boolean => safeTexts.has(value);
export const escapeText = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('>', '&gt;').replaceAll('<', '&lt;').replaceAll("'", '&#39;').replaceAll('"', '&#34;');

export function tuple(items: Iterable<Value>): Value {
  const value = list(items);
  tuples.add(value);
  return value;
}

export const isText = (value: Value | undefined): value is Value & { value: string } => value?.type === 'StringValue';
export const isList = (value: Value | undefined): value is Value & { value: Value[] } => value?.type === 'ArrayValue' || value?.type === 'TupleValue';
export const isDictionary = (value: Value | undefined): value is Value & { value: Map<string, Value> } =>
  value?.type === 'ObjectValue' || value?.type === 'KeywordArgumentsValue';
export const isUndefined = (value: Value | undefined): boolean => value === undefined || value.type === 'UndefinedValue';
export const isNone = (value: Value | undefined): boolean => value?.type === 'NullValue';
export const isBoolean = (value: Value | undefined): boolean => value?.type === 'BooleanValue';
export const isWhole = (value: Value | undefined): boolean => value?.type === 'IntegerValue';
export const isNumber = (value: Value | undefined): value is Value & { value: number } => isWhole(value) || value?.type === 'FloatValue' || isBoolean(value);
export const isTrue = (value: Value): boolean => value.__bool__().value;

/** What a value is gone through by: elements, keys, characters. */
export function iterate(value: Value): Value[] {
  if (isList(value)) return value.value;
  if (isDictionary(value)) return Array.from(value.value.keys(), text);
  if (isText(value)) return Array.from(value.value, text);
  if (isUndefined(value)) return [];
  throw new TypeError('not iterable');
}

/** As `str` writes it. */
export function write(value: Value): string {
  if (isText(value)) return value.value;
  return isUndefined(value) ? '' : represent(value);
}

/** As `repr` writes it. */
function represent(value: Value): string {
  if (isText(value)) return quote(value.value);
  if (isNone(value)) return 'None';
  if (isUndefined(value)) return 'Undefined';
  if (isBoolean(value)) return value.value === true ? 'True' : 'False';
  if (isWhole(value)) return String(value.value);
  if (isNumber(value)) return writeFloat(value.value);
  if (isDictionary(value)) return `{${Array.from(value.value, ([key, item]) => `${quote(key)}: ${represent(item)}`).join(', ')}}`;
  if (!isList(value)) return '';
  const items = value.value.map(represent);
  if (!tuples.has(value)) return `[${items.join(', ')}]`;
  return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`;
}

function quote(content: string): string {
  const mark = content.includes("'") && !content.includes('"') ? '"' : "'";
  const escaped = content.replaceAll('\\', '\\\\').replaceAll(mark, `\\${mark}`).replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
  return mark + escaped.replace(/(?! )[\p{C}\p{Z}]/gu, escapeCharacter) + mark;
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) as number;
  const [mark, length] = code < 0x100 ? ['x', 2] : code < 0x10000 ? ['u', 4] : ['U', 8];
  return `\\${mark}${code.toString(16).padStart(length as number, '0')}`;
}

function writeFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-4)) return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return Number.isInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : String(value);
}

export function isEqual(a: Value, b: Value): boolean {
  if (isNumber(a) && isNumber(b)) return Number(a.value) === Number(b.value);
  if (isText(a) && isText(b)) return a.value === b.value;
  if (isList(a) && isList(b)) return a.value.length === b.value.length && a.value.every((item, i) => isEqual(item, b.value[i] as Value));
  if (isDictionary(a) && isDictionary(b)) {
    return a.value.size === b.value.size && Array.from(a.value).every(([key, item]) => b.value.has(key) && isEqual(item, b.value.get(key) as Value));
  }
  return a === b || (isNone(a) && isNone(b)) || (isUndefined(a) && isUndefined(b));
}

/** Whether `item` is in `container`. */
export function isIn(item: Value, container: Value): boolean {
  if (isText(container)) {
    if (!isText(item)) throw new TypeError('a text holds texts only');
    return container.value.includes(item.value);
  }
  if (isDictionary(container)) return isText(item) && container.value.has(item.value);
  return iterate(container).some((one) => isEqual(one, item));
}
