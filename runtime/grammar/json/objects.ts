/**
 * Owns where an object is: for each form that it may still have, which named keys it has and how many others.
 * Keys come in any order, each named one once. Other keys may come twice, and whoever parses them keeps one: towards
 * the least number of keys they count as one together. Refuses a key after which no form could be completed.
 */
import { isLive } from '../terms/derive.ts';
import type { Term } from '../terms/term.ts';
import type { Terms } from '../terms/terms.ts';
import type { ObjectForm, OpenKeys, Shape } from './shape.ts';

export interface ObjectState {
  readonly goal: number;
  readonly form: ObjectForm;
  readonly seen: bigint;
  /** Other keys, up to where it makes a difference. */
  readonly others: number;
}

/** A kind of key: the texts of it, and what each form that allows it wants of its value. */
export interface KeyClass {
  readonly keys: Term;
  readonly values: readonly { readonly shape: Shape; readonly after: ObjectState }[];
}

export const keyOfObject = ({ goal, form, seen, others }: ObjectState): string => `${goal}.${form.id}.${seen}.${others}`;

export function canEndObject({ form, seen, others }: ObjectState): boolean {
  return (seen & form.required) === form.required && countBits(seen) + Math.min(others, 1) >= form.least;
}

export function startObjects(goals: readonly Shape[]): ObjectState[] {
  return goals.flatMap(({ objects }, goal) => objects.map((form) => ({ goal, form, seen: 0n, others: 0 })));
}

/** Whether any object has the form, given what is known of the shapes in it. */
export function canHaveForm({ names, open, required, least, most }: ObjectForm): boolean {
  const live = [...names.values()].filter(({ shape }) => shape.isLive);
  const liveBits = live.reduce((bits, { bit }) => bits | bit, 0n);
  const others = open.some(({ shape }) => shape.isLive) ? 1 : 0;
  return (required & ~liveBits) === 0n && countBits(required) <= most && least <= Math.min(live.length + others, most);
}

/** All kinds of key that may come next. Names are one class each; other keys are split by what the forms say of them. */
export function listKeys(terms: Terms, states: readonly ObjectState[]): KeyClass[] {
  const names = [...new Set(states.flatMap(({ form }) => [...form.names.keys()]))];
  const named = names.map((name) => ({ keys: terms.text(name), values: states.flatMap((state) => addName(state, name)) }));
  return [...named, ...splitOthers(terms, names, states)].filter(({ values }) => values.length > 0);
}

function addName(state: ObjectState, name: string): KeyClass['values'] {
  const { form, seen } = state;
  const property = form.names.get(name);
  if (property === undefined) return addOther(state, form.find(name));
  if ((seen & property.bit) !== 0n || !property.shape.isLive) return [];
  const after = { ...state, seen: seen | property.bit };
  return hasRoom(after) ? [{ shape: property.shape, after }] : [];
}

function addOther(state: ObjectState, shape: Shape): KeyClass['values'] {
  if (!shape.isLive || !hasRoom({ ...state, others: state.others + 1 })) return [];
  const cap = state.form.most < Number.POSITIVE_INFINITY ? state.form.most : state.form.least > 0 ? 1 : 0;
  return [{ shape, after: { ...state, others: Math.min(state.others + 1, cap) } }];
}

/** Whether the keys that must still come have room. */
function hasRoom({ form, seen, others }: ObjectState): boolean {
  if (form.most === Number.POSITIVE_INFINITY) return true;
  const missing = countBits(form.required & ~seen);
  const isShort = countBits(seen) + missing + Math.min(others, 1) < form.least;
  return countBits(seen) + others + missing <= form.most && !(isShort && !canReachLeast({ form, seen, others }));
}

/** Room for keys that are neither required nor there, where repeated other keys have taken some of it. */
function canReachLeast({ form, seen, others }: Pick<ObjectState, 'form' | 'seen' | 'others'>): boolean {
  const sure = countBits(seen) + Math.min(others, 1);
  const used = countBits(seen) + others;
  const live = [...form.names.values()].filter(({ bit, shape }) => shape.isLive && (seen & bit) === 0n).length;
  const open = others === 0 && form.open.some(({ shape }) => shape.isLive) ? 1 : 0;
  return sure + Math.min(live + open, form.most - used) >= form.least;
}

function splitOthers(terms: Terms, names: readonly string[], states: readonly ObjectState[]): KeyClass[] {
  const unnamed = terms.not(terms.either(...names.map((name) => terms.text(name))));
  let classes: KeyClass[] = [{ keys: unnamed, values: [] }];
  const add = (state: ObjectState, { keys, shape }: OpenKeys): KeyClass[] =>
    classes
      .map((known) => ({ keys: terms.both(known.keys, keys), values: [...known.values, ...addOther(state, shape)] }))
      .filter((known) => isLive(terms, known.keys));
  for (const state of states) {
    classes = state.form.open.flatMap((open) => add(state, open));
    terms.budget.spend('parts', classes.length);
  }
  return classes;
}

function countBits(bits: bigint): number {
  let count = 0;
  for (let left = bits; left !== 0n; left &= left - 1n) count++;
  return count;
}
