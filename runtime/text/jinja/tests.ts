/**
 * Owns the tests of templates ("x is ...") that the library lacks or that differ from Jinja2's. Source: jinja2 3.1 tests.py.
 */
import type { Value } from '@huggingface/jinja';
import { isBoolean, isDictionary, isEqual, isIn, isList, isNumber, isSafe, isText, isUndefined, isWhole, undefinedValue } from './values.ts';

type Test = (value: Value, other?: Value) => boolean;

const number = (value: Value): number => Number(value.value);
const equal: Test = (value, other = undefinedValue) => isEqual(value, other);
const order =
  (holds: (a: number, b: number) => boolean): Test =>
  (value, other = undefinedValue) =>
    holds(number(value), number(other));
const isSequence: Test = (value) => isText(value) || isList(value) || isDictionary(value) || isUndefined(value);

const tests: Readonly<Record<string, Test>> = {
  number: isNumber,
  integer: isWhole,
  float: (value) => value.type === 'FloatValue',
  boolean: isBoolean,
  iterable: isSequence,
  sequence: isSequence,
  mapping: isDictionary,
  eq: equal,
  equalto: equal,
  sameas: equal,
  ne: (value, other = undefinedValue) => !isEqual(value, other),
  in: (value, other = undefinedValue) => isIn(value, other),
  lt: order((a, b) => a < b),
  lessthan: order((a, b) => a < b),
  le: order((a, b) => a <= b),
  gt: order((a, b) => a > b),
  greaterthan: order((a, b) => a > b),
  ge: order((a, b) => a >= b),
  divisibleby: order((a, b) => a % b === 0),
  escaped: isSafe,
};

export function findTest(name: string): Test | undefined {
  return Object.hasOwn(tests, name) ? tests[name] : undefined;
}
