/** The order of turns: nobody that always has work is served much less than another, and nobody saves up service while away. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairQueue } from '../../../runtime/scheduling/fair.ts';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';
import type { Priority } from '../../../runtime/types.ts';

const sink = { event: () => undefined, fail: () => undefined };
const make = (tenant: number, priority: Priority = 'interactive'): Sequence =>
  new Sequence({ promptIds: Uint32Array.of(1), maxTokens: 1, tenant, priority }, 8, sink);
const everyone = (): boolean => true;

/** A queue of which one sequence at a time is served, whole. */
class Turns {
  readonly queue = new FairQueue();
  readonly served = new Map<string, number>();

  add(tenant: number, priority?: Priority): Sequence {
    const sequence = make(tenant, priority);
    this.queue.add(sequence);
    return sequence;
  }

  /** Starts the one whose turn it is. */
  start(): Sequence {
    const next = this.queue.next(everyone);
    if (next === undefined) throw new Error('nobody waits');
    this.queue.remove(next);
    return next;
  }

  serve(sequence: Sequence, service: number): void {
    this.queue.charge(sequence, service);
    for (const key of [`${sequence.tenant}`, sequence.priority]) this.served.set(key, (this.served.get(key) ?? 0) + service);
  }

  /** One turn: served, and gone. */
  turn(service: number): Sequence {
    const next = this.start();
    this.serve(next, service);
    this.queue.leave(next);
    return next;
  }

  of(key: number | Priority): number {
    return this.served.get(`${key}`) ?? 0;
  }
}

/**
 * When a tenant's request was started for the last time, the tenant had no more service than the other, which waited too. Since then
 * it has gained at most what it had running: `together` requests of `largest` each. So |a - b| <= together * largest, at any time.
 */
test('two tenants that always have work: their services differ by at most what runs at once', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 }), fc.nat(3)), { minLength: 1, maxLength: 200 }),
      (together, turns) => {
        const world = new Turns();
        const running: { readonly sequence: Sequence; rest: number }[] = [];
        for (let i = 0; i < together + 1; i++) for (const tenant of [1, 2]) world.add(tenant);
        for (const [first, second, which] of turns) {
          while (running.length < together) {
            const sequence = world.start();
            running.push({ sequence, rest: sequence.tenant === 1 ? first : second });
            world.add(sequence.tenant);
          }
          const done = running.splice(which % together, 1)[0];
          if (done === undefined) throw new Error('nobody runs');
          world.serve(done.sequence, done.rest);
          world.queue.leave(done.sequence);
          expect(Math.abs(world.of(1) - world.of(2))).toBeLessThanOrEqual(together * 100);
        }
      },
    ),
  );
});

test('who comes anew, or comes back, has saved nothing up', () => {
  const world = new Turns();
  for (let i = 0; i < 100; i++) world.add(1);
  world.add(2);
  for (let i = 0; i < 50; i++) world.turn(10);
  // Tenant 2 had one turn and was away since; tenant 3 is new.
  for (let i = 0; i < 20; i++) for (const tenant of [2, 3]) world.add(tenant);
  const turns = Array.from({ length: 30 }, () => world.turn(10).tenant);
  for (const tenant of [1, 2, 3]) expect(turns.filter((other) => other === tenant).length).toBe(10);
});

test('who had more than its share and leaves while others wait comes back with that, and no more', () => {
  const world = new Turns();
  const long = world.add(1);
  for (let i = 0; i < 20; i++) world.add(2);
  world.queue.remove(long);
  world.serve(long, 100);
  world.queue.leave(long);
  world.add(1);
  const turns = Array.from({ length: 12 }, () => world.turn(10).tenant);
  expect(turns.indexOf(1)).toBe(10);
});

test('nobody owes anything for service that it had while there was nobody else: tenants', () => {
  const world = new Turns();
  // Side by side for long; 1 is served last, so it has a little more when both are gone.
  for (let i = 0; i < 1000; i++) for (const tenant of [1, 2]) world.add(tenant);
  for (let i = 0; i < 1999; i++) world.turn(10);
  const last = world.start();
  world.queue.leave(last);
  for (let i = 0; i < 100; i++) world.add(last.tenant);
  for (let i = 0; i < 100; i++) world.add(3 - last.tenant);
  const turns = Array.from({ length: 20 }, () => world.turn(10).tenant);
  expect([1, 2].map((tenant) => turns.filter((other) => other === tenant).length)).toEqual([10, 10]);
});

test('nobody owes anything for service that it had while there was nobody else: classes', () => {
  const world = new Turns();
  // A day of interactive work alone, then a pause, then batch work comes first.
  for (let i = 0; i < 1000; i++) world.add(1);
  for (let i = 0; i < 1000; i++) world.turn(10);
  for (let i = 0; i < 100; i++) world.add(1, 'batch');
  world.turn(10);
  for (let i = 0; i < 100; i++) world.add(1);
  const turns = Array.from({ length: 90 }, () => world.turn(10).priority);
  expect(turns.filter((priority) => priority === 'batch').length).toBeLessThanOrEqual(10);
});

test('tenants that are gone and owe nothing are forgotten, however many there were', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 9 })), { minLength: 1, maxLength: 60 }), (visits) => {
      const world = new Turns();
      for (const [tenant] of visits) world.add(tenant);
      for (const [, service] of visits) world.turn(service);
      expect(world.queue.tenantCount).toBe(0);
    }),
  );
});

/** Each class is served at most one request beyond its part: 8/9 and 1/9, whatever the sizes; so batch work never waits for ever. */
test('while both classes wait they share 8 to 1, within one request', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 300 }), (sizes) => {
      const world = new Turns();
      for (const priority of ['interactive', 'batch'] as const) for (let i = 0; i <= sizes.length; i++) world.add(1, priority);
      for (const size of sizes) {
        world.turn(size);
        const [urgent, batch] = [world.of('interactive'), world.of('batch')];
        expect(urgent / 8 - batch).toBeLessThanOrEqual(50 / 8);
        expect(batch - urgent / 8).toBeLessThanOrEqual(50);
      }
    }),
  );
});

type Op = { readonly add: number; readonly priority: Priority } | { readonly turn: number } | { readonly back: number } | { readonly drop: number };

/** Whose turn it is depends on services; in which order a tenant's own sequences come does not. */
test('a tenant gets its turns in the order in which its requests came; one that is put back comes first', () => {
  const ops = fc.array(
    fc.oneof(
      fc.record({ add: fc.nat(2), priority: fc.constantFrom<Priority>('interactive', 'batch') }),
      fc.record({ turn: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ back: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ drop: fc.nat(30) }),
    ) as fc.Arbitrary<Op>,
    { maxLength: 80 },
  );
  fc.assert(
    fc.property(ops, (list) => {
      const { queue } = new Turns();
      const waiting: Sequence[] = [];
      const firstOf = (sequence: Sequence) => waiting.find(({ tenant, priority }) => tenant === sequence.tenant && priority === sequence.priority);
      for (const op of list) {
        if ('add' in op) {
          const sequence = make(op.add, op.priority);
          queue.add(sequence);
          waiting.push(sequence);
        } else if ('drop' in op) {
          const [sequence] = waiting.splice(op.drop % Math.max(1, waiting.length), 1);
          if (sequence === undefined) continue;
          expect(queue.remove(sequence)).toBe(true);
          expect(queue.remove(sequence)).toBe(false);
          queue.leave(sequence);
        } else {
          const next = queue.next(everyone);
          expect(next === undefined).toBe(waiting.length === 0);
          if (next === undefined) continue;
          expect(next).toBe(firstOf(next));
          queue.remove(next);
          waiting.splice(waiting.indexOf(next), 1);
          queue.charge(next, 'turn' in op ? op.turn : op.back);
          if ('turn' in op) queue.leave(next);
          else {
            queue.putBack(next);
            waiting.unshift(next);
          }
        }
        expect(queue.length).toBe(waiting.length);
        expect(new Set(queue)).toEqual(new Set(waiting));
      }
    }),
  );
});

test('those that are not ready are passed over, within a tenant and among tenants', () => {
  const world = new Turns();
  const [first, second, other] = [world.add(1), world.add(1), world.add(2)];
  expect(world.queue.next((sequence) => sequence !== first)).toBe(second);
  expect(world.queue.next(({ tenant }) => tenant === 2)).toBe(other);
  expect(world.queue.next(() => false)).toBeUndefined();
});

test('ahead of a new one: its own tenant, one more of each other one, and what is more urgent', () => {
  const world = new Turns();
  const [urgent, ...others] = [world.add(1), world.add(1, 'batch'), world.add(1, 'batch'), world.add(1, 'batch'), world.add(2, 'batch')];
  const ahead = (tenant: number, priority: Priority): Set<Sequence> => new Set(world.queue.ahead(make(tenant, priority)));
  expect(ahead(1, 'interactive')).toEqual(new Set([urgent]));
  expect(ahead(1, 'batch')).toEqual(new Set([urgent, ...others]));
  expect(ahead(2, 'batch')).toEqual(new Set([urgent, others[0], others[1], others[3]]));
  expect(ahead(3, 'batch')).toEqual(new Set([urgent, others[0], others[3]]));
});
