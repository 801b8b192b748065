/** Which experts are on the device: against a list that is kept in order of use, with random choices. */
import { expect, test } from 'vitest';
import { random } from '../../../kernels/random.ref.ts';
import { Residency } from '../../../runtime/experts/residency.ts';

test.each([
  [8, 8],
  [8, 2],
  [64, 16],
  [5, 1],
])('%i experts in %i slots: every choice has its turn and a slot of its own, and what goes was used before all that stays', (experts, slots) => {
  const next = random(experts * 100 + slots);
  const residency = new Residency(experts, slots);
  const all = Array.from({ length: experts }, (_, expert) => expert);
  const usedAt = new Map<number, number>();
  let pass = 0;
  const listThere = (): number[] => all.filter((expert) => residency.slotOf(expert) !== undefined);
  for (let step = 0; step < 200; step++) {
    const chosen = all.filter(() => next() < 0.3);
    const hits = listThere().filter((expert) => chosen.includes(expert));
    const seen: number[] = [];
    let loads = 0;
    let before = listThere();
    for (const { experts: own, loads: brought } of residency.passes(chosen)) {
      const there = listThere();
      expect(own.length).toBeLessThanOrEqual(slots);
      expect(new Set(there.map((expert) => residency.slotOf(expert))).size).toBe(there.length);
      for (const expert of own) expect(residency.slotOf(expert)).toBeLessThan(slots);
      expect(brought.map(({ expert }) => expert)).toEqual(own.filter((expert) => !before.includes(expert)));
      for (const { expert, slot } of brought) expect(residency.slotOf(expert)).toBe(slot);
      // Nothing goes while a slot is free.
      expect(there.length).toBe(Math.min(slots, before.length + brought.length));
      const last = (expert: number): number => usedAt.get(expert) ?? 0;
      const gone = before.filter((expert) => !there.includes(expert)).map(last);
      const kept = before.filter((expert) => there.includes(expert) && !own.includes(expert)).map(last);
      expect(Math.max(0, ...gone)).toBeLessThanOrEqual(Math.min(Number.POSITIVE_INFINITY, ...kept));
      pass++;
      for (const expert of own) usedAt.set(expert, pass);
      seen.push(...own);
      loads += brought.length;
      before = there;
    }
    expect([...seen].sort((a, b) => a - b)).toEqual(chosen);
    // What was there was not brought again.
    expect(loads).toBe(chosen.length - hits.length);
  }
});
