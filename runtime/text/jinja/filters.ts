/**
 * Owns the filters that the library lacks or that differ from Jinja2's. Refuses what Jinja2 refuses. Source: jinja2 3.1 filters.py.
 */
import type { Environment, Value } from '@huggingface/jinja';
import { capitalize, replace, strip, title } from './texts.ts';
import {
  dictionary,
  escapeText,
  generator,
  isDictionary,
  isEqual,
  isList,
  isNone,
  isNumber,
  isSafe,
  isText,
  isTrue,
  isUndefined,
  iterate,
  list,
  markSafe,
  text,
  toValue,
  tuple,
  undefinedValue,
  write,
} from './values.ts';

/** What a filter may ask of the interpreter. */
export interface FilterHost {
  filter(name: string, operand: Value, args: Value[]): Value;
  test(name: string, values: Value[]): boolean;
  readonly scope: Environment;
}

export type Filter = (operand: Value, args: readonly Value[], named: ReadonlyMap<string, Value>, host: FilterHost) => Value;

function attribute(item: Value, path: Value | undefined): Value {
  let value = item;
  for (const part of path === undefined ? [] : write(path).split('.')) {
    const next: Value | undefined = isDictionary(value) ? value.value.get(part) : isList(value) ? value.value[Number(part)] : undefined;
    value = next ?? undefinedValue;
  }
  return value;
}

/** What is not true, None among it, has no elements here. */
const elements = (operand: Value): Value[] => (isTrue(operand) ? iterate(operand) : []);

/** select, reject, selectattr, rejectattr: by a test, or by what is true. */
function choose(isByAttribute: boolean, wanted: boolean): Filter {
  return (operand, args, _, host) => {
    const [path, rest] = isByAttribute ? [args[0], args.slice(1)] : [undefined, args];
    const [name, ...more] = rest;
    const holds = (value: Value): boolean => (name === undefined ? isTrue(value) : host.test(write(name), [value, ...more]));
    return generator(elements(operand).filter((item) => holds(attribute(item, path)) === wanted));
  };
}

const map: Filter = (operand, args, named, host) => {
  const path = named.get('attribute');
  const fallback = named.get('default');
  const [name, ...rest] = args;
  const one = (item: Value): Value => {
    if (path === undefined) return host.filter(name === undefined ? 'string' : write(name), item, rest);
    const value = attribute(item, path);
    return isUndefined(value) ? (fallback ?? value) : value;
  };
  return generator(elements(operand).map(one));
};

const join: Filter = (operand, [mark, path], named) => {
  const by = path ?? named.get('attribute');
  return text(
    iterate(operand)
      .map((item) => write(by === undefined ? item : attribute(item, by)))
      .join(write(mark ?? named.get('d') ?? text(''))),
  );
};

function length(operand: Value): number {
  if (isText(operand)) return Array.from(operand.value).length;
  if (isDictionary(operand)) return operand.value.size;
  if (isNone(operand) || isNumber(operand)) throw new TypeError('it has no length');
  return iterate(operand).length;
}

const least =
  (sign: 1 | -1): Filter =>
  (operand, _, named) => {
    const by = named.get('attribute');
    const keyOf = (item: Value): number | string => {
      const key = attribute(item, by);
      return isText(key) ? key.value.toLowerCase() : Number(key.value);
    };
    return iterate(operand).reduce<Value>(
      (best, item) => (isUndefined(best) || (keyOf(item) < keyOf(best) ? 1 : keyOf(item) > keyOf(best) ? -1 : 0) * sign > 0 ? item : best),
      undefinedValue,
    );
  };

const unique: Filter = (operand, _, named) => {
  const seen: Value[] = [];
  const keyOf = (item: Value): Value => {
    const key = attribute(item, named.get('attribute'));
    return isText(key) ? text(key.value.toLowerCase()) : key;
  };
  return generator(
    iterate(operand).filter((item) => {
      const key = keyOf(item);
      const isNew = !seen.some((one) => isEqual(one, key));
      if (isNew) seen.push(key);
      return isNew;
    }),
  );
};

const indent: Filter = (operand, [width, first, blank], named) => {
  const by = width ?? named.get('width') ?? toValue(4);
  const mark = isText(by) ? by.value : ' '.repeat(Math.max(0, Math.min(Number(by.value), 1000)));
  const [isFirst, isBlank] = [first ?? named.get('first'), blank ?? named.get('blank')].map((value) => value !== undefined && isTrue(value));
  const lines = write(operand).split('\n');
  return text(lines.map((line, i) => ((i === 0 && !isFirst) || (line === '' && i > 0 && !isBlank) ? line : mark + line)).join('\n'));
};

const escapeFilter: Filter = (operand) => (isSafe(operand) ? operand : markSafe(escapeText(write(operand))));
const fallback: Filter = (operand, [value, asksTruth], named) => {
  const isAsked = asksTruth ?? named.get('boolean');
  const isMissing = isUndefined(operand) || (isAsked !== undefined && isTrue(isAsked) && !isTrue(operand));
  return isMissing ? (value ?? named.get('default_value') ?? text('')) : operand;
};
const round: Filter = (operand, [precision, method], named) => {
  const scale = 10 ** Number((precision ?? named.get('precision'))?.value ?? 0);
  const value = Number(operand.value) * scale;
  const how = write(method ?? named.get('method') ?? text('common'));
  const half = Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
  const result = toValue(0.5);
  result.value = (how === 'ceil' ? Math.ceil(value) : how === 'floor' ? Math.floor(value) : half) / scale;
  return result;
};
const asText =
  (change: (content: string) => string): Filter =>
  (operand) =>
    text(change(write(operand)));
const count: Filter = (operand) => toValue(length(operand));

export const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['safe', (operand) => markSafe(write(operand))],
  ['string', (operand) => (isText(operand) ? operand : text(write(operand)))],
  ['escape', escapeFilter],
  ['e', escapeFilter],
  ['forceescape', (operand) => markSafe(escapeText(write(operand)))],
  ['default', fallback],
  ['d', fallback],
  ['length', count],
  ['count', count],
  ['list', (operand) => list(iterate(operand))],
  ['first', (operand) => iterate(operand)[0] ?? undefinedValue],
  ['last', (operand) => iterate(operand).at(-1) ?? undefinedValue],
  ['reverse', (operand) => (isText(operand) ? text(Array.from(operand.value).reverse().join('')) : generator(iterate(operand).toReversed()))],
  ['join', join],
  ['map', map],
  ['select', choose(false, true)],
  ['reject', choose(false, false)],
  ['selectattr', choose(true, true)],
  ['rejectattr', choose(true, false)],
  ['unique', unique],
  ['min', least(1)],
  ['max', least(-1)],
  ['sum', (operand, _, named) => toValue(iterate(operand).reduce((sum, item) => sum + Number(attribute(item, named.get('attribute')).value), 0))],
  ['abs', (operand) => toValue(Math.abs(Number(operand.value)))],
  ['round', round],
  ['indent', indent],
  ['trim', (operand, [characters], named) => (isSafe(operand) ? markSafe : text)(strip(write(operand), characters ?? named.get('chars')))],
  ['upper', asText((content) => content.toUpperCase())],
  ['lower', asText((content) => content.toLowerCase())],
  ['title', asText(title)],
  ['capitalize', asText(capitalize)],
  [
    'replace',
    (operand, [old, fresh, limit]) =>
      text(replace(write(operand), write(old ?? undefinedValue), write(fresh ?? undefinedValue), isNumber(limit) ? Number(limit.value) : undefined)),
  ],
  ['wordcount', (operand) => toValue(write(operand).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)],
  ['items', (operand) => generator(isDictionary(operand) ? Array.from(operand.value, ([key, value]) => tuple([text(key), value])) : iterate(operand))],
  ['attr', (operand, [path]) => attribute(operand, path)],
  ['dict', (operand) => dictionary(isDictionary(operand) ? operand.value : [])],
]);
