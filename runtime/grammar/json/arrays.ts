/**
 * Owns where an array is: for each form that it may still have, how many items it has, how many of them count for `contains`, and which it has
 * where no two may be alike.
 * Refuses an item after which no form could be completed.
 */
import type { ArrayForm, Shape } from './shape.ts';

export interface ArrayState {
  readonly goal: number;
  readonly form: ArrayForm;
  /** Up to where it makes a difference. */
  readonly index: number;
  readonly counted: number;
  /** Bits of the values of `distinct` that it has. */
  readonly used: bigint;
}

export const keyOfArray = ({ goal, form, index, counted, used }: ArrayState): string => `${goal}.${form.id}.${index}.${counted}.${used}`;

/** Whether the array may end. */
export function canEndArray({ form, index, counted }: ArrayState): boolean {
  return index >= form.least && counted >= (form.contains?.least ?? 0);
}

/** What the next item may be, each with the state behind it; none if there can be no item. */
export function listItems(state: ArrayState): { readonly shape: Shape; readonly after: ArrayState }[] {
  const { form, index, counted } = state;
  if (index >= form.most) return [];
  const next = Math.min(index + 1, findCap(form));
  const { contains, distinct } = form;
  if (distinct !== undefined)
    return distinct.flatMap((shape, i) => {
      const bit = 1n << BigInt(i);
      return (state.used & bit) === 0n ? [{ shape, after: { ...state, index: next, used: state.used | bit } }] : [];
    });
  const pick = (items: readonly Shape[], rest: Shape): Shape => items[index] ?? rest;
  const isFree = contains === undefined || (contains.most === Number.POSITIVE_INFINITY && counted >= contains.least);
  const choices = isFree
    ? [{ shape: pick(form.items, form.rest), after: { ...state, index: next } }]
    : [
        { shape: pick(contains.counted, contains.countedRest), after: { ...state, index: next, counted: counted + 1 } },
        { shape: pick(contains.other, contains.otherRest), after: { ...state, index: next } },
      ];
  return choices.filter(({ shape, after }) => shape.isLive && canComplete(after));
}

/** Indexes from here on make no difference. */
function findCap({ items, least, most, contains }: ArrayForm): number {
  return most < Number.POSITIVE_INFINITY ? most : Math.max(items.length, least, contains === undefined ? 0 : 1);
}

/** Whether some items make the array complete. */
export function canComplete(state: ArrayState): boolean {
  const { form, index, counted } = state;
  if (form.contains !== undefined && counted > form.contains.most) return false;
  if (canEndArray(state)) return true;
  if (index >= form.most) return false;
  if (index >= form.items.length) return canCompleteRest(state);
  return listItems(state).length > 0;
}

/** The same where all further items are alike. */
function canCompleteRest({ form, index, counted }: ArrayState): boolean {
  const { contains, least, most, rest } = form;
  const missing = Math.max(least - index, 0);
  const room = most - index;
  if (contains === undefined) return missing <= room && rest.isLive;
  const needed = Math.max(contains.least - counted, 0);
  const allowed = Math.min(room, contains.most - counted);
  if (needed > 0 && !contains.countedRest.isLive) return false;
  if (needed > allowed) return false;
  return missing <= (contains.otherRest.isLive ? room : contains.countedRest.isLive ? allowed : 0);
}

/** States at the start, for the forms that can be completed. */
export function startArrays(goals: readonly Shape[]): ArrayState[] {
  return goals.flatMap(({ arrays }, goal) => arrays.map((form) => ({ goal, form, index: 0, counted: 0, used: 0n })).filter(canComplete));
}
