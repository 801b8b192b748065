/**
 * Owns the operators of templates where Python differs from the library: equality, membership, joining of texts, order of texts, remainders.
 * Refuses to make texts of what Python makes none of.
 */
import type { Value } from '@huggingface/jinja';
import { escapeText, isEqual, isIn, isList, isNumber, isSafe, isText, isWhole, list, markSafe, text, toValue, write } from './values.ts';

export type Arithmetic = '==' | '!=' | 'in' | 'not in' | '~' | '+' | '*' | '%' | '<' | '<=' | '>' | '>=';

/** The result, or undefined where the library's own is right. */
export function operate(operator: Arithmetic, left: Value, right: Value): Value | undefined {
  switch (operator) {
    case '==':
      return toValue(isEqual(left, right));
    case '!=':
      return toValue(!isEqual(left, right));
    case 'in':
      return toValue(isIn(left, right));
    case 'not in':
      return toValue(!isIn(left, right));
    case '~':
      return isSafe(left) || isSafe(right) ? joinSafe(left, right) : text(write(left) + write(right));
    case '+':
      return add(left, right);
    case '*':
      return repeat(left, right) ?? repeat(right, left);
    case '%':
      return remainder(left, right);
    default:
      return compare(operator, left, right);
  }
}

function joinSafe(left: Value, right: Value): Value {
  const part = (value: Value): string => (isSafe(value) ? write(value) : escapeText(write(value)));
  return markSafe(part(left) + part(right));
}

function add(left: Value, right: Value): Value | undefined {
  if (isText(left) && isText(right)) return isSafe(left) || isSafe(right) ? joinSafe(left, right) : text(left.value + right.value);
  if (isList(left) && isList(right)) return list([...left.value, ...right.value]);
  if (isNumber(left) && isNumber(right)) return undefined;
  throw new TypeError('these cannot be added');
}

function repeat(content: Value, times: Value): Value | undefined {
  if (!isWhole(times)) return undefined;
  const count = Math.max(0, Number(times.value));
  if (isText(content)) return text(content.value.repeat(count));
  if (!isList(content)) return undefined;
  const items: Value[] = [];
  for (let i = 0; i < count; i++) for (const item of content.value) items.push(item);
  return list(items);
}

function remainder(left: Value, right: Value): Value | undefined {
  if (isText(left)) {
    const values = isList(right) ? [...right.value] : [right];
    return text(left.value.replace(/%([sdr%])/g, (_, form: string) => (form === '%' ? '%' : write(values.shift() ?? text('')))));
  }
  if (!isWhole(left) || !isWhole(right) || Number(right.value) === 0) return undefined;
  const [a, b] = [Number(left.value), Number(right.value)];
  return toValue(((a % b) + b) % b);
}

function compare(operator: string, left: Value, right: Value): Value | undefined {
  if (!isText(left) || !isText(right)) return undefined;
  const order = left.value < right.value ? -1 : Number(left.value > right.value);
  if (operator === '<') return toValue(order < 0);
  if (operator === '<=') return toValue(order <= 0);
  if (operator === '>') return toValue(order > 0);
  return operator === '>=' ? toValue(order >= 0) : undefined;
}
