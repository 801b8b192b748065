/**
 * Owns the methods of texts that templates call, as Python has them. Refuses arguments that Python refuses.
 */
import type { Value } from '@huggingface/jinja';
import { isList, isNone, isNumber, isText, list, text, toValue, tuple, write } from './values.ts';

type Method = (content: string, args: readonly (Value | undefined)[], named: ReadonlyMap<string, Value>) => Value;

const space = '[\\p{White_Space}\\x1c-\\x1f]';
/** What `splitlines` cuts at. */
const lineBreak = '(?:\\r\\n|[\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029])';
const startSpace = new RegExp(`^${space}+`, 'u');
const endSpace = new RegExp(`(?<!${space})${space}+$`, 'u');

/** The text without the characters at its ends; without spaces where none are named. */
export function strip(content: string, characters: Value | undefined, ends: 'both' | 'start' | 'end' = 'both'): string {
  const set = isText(characters) ? new Set(characters.value) : undefined;
  if (set === undefined) {
    const left = ends === 'end' ? content : content.replace(startSpace, '');
    return ends === 'start' ? left : left.replace(endSpace, '');
  }
  const all = Array.from(content);
  let [start, end] = [0, all.length];
  if (ends !== 'end') while (start < end && set.has(all[start] as string)) start++;
  if (ends !== 'start') while (end > start && set.has(all[end - 1] as string)) end--;
  return all.slice(start, end).join('');
}

function textOf(value: Value | undefined): string {
  if (isText(value)) return value.value;
  throw new TypeError('a text is expected');
}

const limitOf = (value: Value | undefined): number => (isNumber(value) && Number(value.value) >= 0 ? Number(value.value) : Number.POSITIVE_INFINITY);
const texts = (parts: readonly string[]): Value => list(parts.map(text));

/** `split` and `rsplit`: at most `limit` cuts, from the start or from the end. */
function split(content: string, separator: Value | undefined, limit: number, isFromEnd: boolean): Value {
  if (separator === undefined || isNone(separator)) return texts(splitSpaces(content, limit, isFromEnd));
  const mark = textOf(separator);
  if (mark === '') throw new TypeError('an empty separator');
  const parts = content.split(mark);
  if (parts.length - 1 <= limit) return texts(parts);
  const rest = isFromEnd ? parts.splice(0, parts.length - limit).join(mark) : parts.splice(limit).join(mark);
  return texts(isFromEnd ? [rest, ...parts] : [...parts, rest]);
}

function splitSpaces(content: string, limit: number, isFromEnd: boolean): string[] {
  const words = [...strip(content, undefined).matchAll(new RegExp(`(?:(?!${space})[\\s\\S])+`, 'gu'))];
  const whole = strip(content, undefined);
  if (words.length - 1 <= limit) return words.map(([word]) => word);
  if (isFromEnd) {
    const first = words[words.length - limit - 1] as RegExpExecArray;
    return [whole.slice(0, first.index + first[0].length), ...words.slice(words.length - limit).map(([word]) => word)];
  }
  return [...words.slice(0, limit).map(([word]) => word), whole.slice((words[limit] as RegExpExecArray).index)];
}

/** The first `limit` places of `old`; between characters where it is empty. */
export function replace(content: string, old: string, fresh: string, limit?: number): string {
  let left = limit ?? Number.POSITIVE_INFINITY;
  const parts = old === '' ? ['', ...Array.from(content), ''] : content.split(old);
  return parts.reduce((whole, part, i) => (i === 0 ? part : whole + (left-- > 0 ? fresh : old) + part), '');
}

export const capitalize = (content: string): string => content.charAt(0).toUpperCase() + content.slice(1).toLowerCase();
export const title = (content: string): string => content.replace(/\p{L}+/gu, capitalize);

function cutAt(content: string, mark: string, place: number): Value {
  const parts = place < 0 ? undefined : [content.slice(0, place), mark, content.slice(place + mark.length)];
  return tuple((parts ?? [content, '', '']).map(text));
}

const affix =
  (method: 'startsWith' | 'endsWith'): Method =>
  (content, [wanted]) =>
    toValue(isList(wanted) ? wanted.value.some((one) => content[method](textOf(one))) : content[method](textOf(wanted)));
const asks =
  (pattern: RegExp): Method =>
  (content) =>
    toValue(pattern.test(content));
const pad =
  (place: 'start' | 'end'): Method =>
  (content, [width, fill]) => {
    const length = Number(width?.value ?? 0) - Array.from(content).length;
    const padding = (isText(fill) ? fill.value : ' ').repeat(Math.max(0, Math.min(length, 10_000)));
    return text(place === 'start' ? padding + content : content + padding);
  };

const methods: Readonly<Record<string, Method>> = {
  strip: (content, [characters]) => text(strip(content, characters)),
  lstrip: (content, [characters]) => text(strip(content, characters, 'start')),
  rstrip: (content, [characters]) => text(strip(content, characters, 'end')),
  split: (content, [mark, limit], named) => split(content, mark ?? named.get('sep'), limitOf(limit ?? named.get('maxsplit')), false),
  rsplit: (content, [mark, limit], named) => split(content, mark ?? named.get('sep'), limitOf(limit ?? named.get('maxsplit')), true),
  splitlines: (content) => texts(content === '' ? [] : content.replace(new RegExp(`${lineBreak}$`), '').split(new RegExp(lineBreak))),
  replace: (content, [old, fresh, count], named) => text(replace(content, textOf(old), textOf(fresh), limitOf(count ?? named.get('count')))),
  startswith: affix('startsWith'),
  endswith: affix('endsWith'),
  removeprefix: (content, [prefix]) => text(content.startsWith(textOf(prefix)) ? content.slice(textOf(prefix).length) : content),
  removesuffix: (content, [suffix]) => text(textOf(suffix) !== '' && content.endsWith(textOf(suffix)) ? content.slice(0, -textOf(suffix).length) : content),
  upper: (content) => text(content.toUpperCase()),
  lower: (content) => text(content.toLowerCase()),
  title: (content) => text(title(content)),
  capitalize: (content) => text(capitalize(content)),
  find: (content, [part]) => toValue(content.indexOf(textOf(part))),
  rfind: (content, [part]) => toValue(content.lastIndexOf(textOf(part))),
  count: (content, [part]) => toValue(content.split(textOf(part)).length - 1),
  join: (content, [parts]) => text((isList(parts) ? parts.value : Array.from(textOf(parts), text)).map(textOf).join(content)),
  partition: (content, [mark]) => cutAt(content, textOf(mark), content.indexOf(textOf(mark))),
  rpartition: (content, [mark]) => {
    const place = content.lastIndexOf(textOf(mark));
    return place < 0 ? tuple(['', '', content].map(text)) : cutAt(content, textOf(mark), place);
  },
  isdigit: asks(/^\p{Nd}+$/u),
  isnumeric: asks(/^\p{N}+$/u),
  isalpha: asks(/^\p{L}+$/u),
  isalnum: asks(/^[\p{L}\p{N}]+$/u),
  isspace: asks(new RegExp(`^${space}+$`, 'u')),
  isupper: (content) => toValue(content === content.toUpperCase() && content !== content.toLowerCase()),
  islower: (content) => toValue(content === content.toLowerCase() && content !== content.toUpperCase()),
  ljust: pad('end'),
  rjust: pad('start'),
  zfill: (content, [width]) => text(content.padStart(Math.min(Number(width?.value ?? 0), 10_000), '0')),
  format: (content, args, named) => text(content.replace(/\{(\w*)\}/g, format(args, named))),
};

/** {} in turn, {0} by place, {name} by keyword; other forms stay. */
function format(args: readonly (Value | undefined)[], named: ReadonlyMap<string, Value>): (form: string, name: string) => string {
  let next = 0;
  return (_, name) => {
    const value = name === '' ? args[next++] : /^\d+$/.test(name) ? args[Number(name)] : named.get(name);
    if (value === undefined) throw new TypeError('no such argument');
    return write(value);
  };
}

/** A method of texts; undefined where there is none of this name. */
export function findTextMethod(name: string): Method | undefined {
  return Object.hasOwn(methods, name) ? methods[name] : undefined;
}
