/** The prefix cache: who finds what, in which order it is given up, and that nobody reaches what is another's. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockPool } from '../../../runtime/scheduling/blocks.ts';
import { PrefixCache, type PrefixChain, type PrefixLimits } from '../../../runtime/scheduling/prefix.ts';
import type { BlockId } from '../../../runtime/types.ts';

const blockLength = 2;
const limits: PrefixLimits = { blockLength, quota: 8, reserve: 0, timeToLiveMs: 100 };
const idsOf = (tokens: readonly number[]): Uint32Array => Uint32Array.from(tokens);

/** A pool and a cache, and sequences that compute texts and leave them behind. */
class Desk {
  readonly pool: BlockPool;
  readonly cache: PrefixCache;
  now = 0;

  constructor(overrides: Partial<PrefixLimits> = {}, total = 32) {
    this.pool = new BlockPool(total);
    this.cache = new PrefixCache({ ...limits, ...overrides }, this.pool);
  }

  /** Begins with what is kept, computes the rest, offers it. The blocks are the caller's. */
  compute(tokens: readonly number[], tenant = 1, salt?: Uint32Array): { readonly blocks: BlockId[]; readonly chain: PrefixChain; readonly found: number } {
    const chain = this.cache.createChain(tenant, salt);
    const found = this.cache.find(chain, idsOf(tokens), tokens.length);
    this.cache.take(chain, found, this.now);
    const blocks = [...found];
    while (blocks.length * blockLength < tokens.length) blocks.push(this.pool.take());
    this.cache.offer(chain, idsOf(tokens), blocks, tokens.length, this.now);
    return { blocks, chain, found: found.length };
  }

  /** The same, over at once. Gives how many blocks were found. */
  visit(tokens: readonly number[], tenant = 1, salt?: Uint32Array): number {
    const { blocks, found } = this.compute(tokens, tenant, salt);
    this.pool.give(blocks);
    this.pool.clean();
    return found;
  }

  /** How many blocks would be found; nothing is touched. */
  look(tokens: readonly number[], tenant = 1, salt?: Uint32Array): number {
    return this.cache.find(this.cache.createChain(tenant, salt), idsOf(tokens), tokens.length).length;
  }
}

test('the same tenant with the same salt finds a text again; no other tenant and no other salt does', () => {
  const desk = new Desk();
  const text = [1, 2, 3, 4, 5, 6, 7];
  const salts = [undefined, Uint32Array.of(0), Uint32Array.of(9), Uint32Array.of(9, 0), Uint32Array.of(0, 9)];
  for (const tenant of [0, 1, 2 ** 32 - 1])
    for (const salt of salts) {
      expect(desk.look(text, tenant, salt)).toBe(0);
      expect(desk.visit(text, tenant, salt)).toBe(0);
      expect(desk.look(text, tenant, salt)).toBe(3);
      desk.cache.flush(tenant);
      desk.pool.clean();
      expect(desk.look(text, tenant, salt)).toBe(0);
    }
  expect(desk.visit(text, 1, undefined)).toBe(0);
  for (const tenant of [0, 2, 3]) expect(desk.look(text, tenant)).toBe(0);
  for (const salt of salts.slice(1)) expect(desk.look(text, 1, salt)).toBe(0);
  expect([desk.look(text, 1), desk.look(text, 1, new Uint32Array())]).toEqual([3, 3]);
});

test('keys are 32 bytes whatever the text, and another cache gives others for the same one', () => {
  const text = Array.from({ length: 2 * blockLength }, () => 0x61626364);
  const keys = [1, 2].flatMap(() => {
    const { chain } = new Desk().compute(text);
    return chain.keys;
  });
  expect(keys.map(({ length }) => length)).toEqual([32, 32, 32, 32]);
  expect(new Set(keys).size).toBe(4);
});

test('the last token is never found, because it has to be computed', () => {
  const desk = new Desk();
  desk.visit([1, 2, 3, 4]);
  expect([[1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5]].map((tokens) => desk.look(tokens))).toEqual([0, 0, 1, 1, 2]);
});

test('a text is found as far as it is the same, and no further', () => {
  const desk = new Desk();
  desk.visit([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(desk.look([1, 2, 3, 4, 9, 6, 7, 8, 9])).toBe(2);
  // The same blocks in another place, or behind another beginning, are other ones.
  expect(desk.look([3, 4, 5, 6, 7])).toBe(0);
  expect(desk.look([9, 9, 3, 4, 5, 6, 7])).toBe(0);
});

test('what was not used for the longest time goes first, and no block before those that follow it', () => {
  const desk = new Desk();
  desk.visit([1, 2, 3, 4, 5, 6]);
  desk.visit([1, 2, 7, 8]);
  const left = (): number[] => [desk.look([1, 2, 3, 4, 5, 6, 0]), desk.look([1, 2, 7, 8, 0])];
  const order: number[][] = [];
  while (desk.cache.evict(1, 1) > 0) order.push(left());
  expect(order).toEqual([
    [2, 2],
    [1, 2],
    [1, 1],
    [0, 0],
  ]);
});

test('blocks in use are not given up; when they are all that a tenant may keep, nothing more is', () => {
  const desk = new Desk({ quota: 2 });
  const { blocks } = desk.compute([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(desk.cache.evict(1, 5)).toBe(0);
  expect(desk.visit([9, 9, 9, 9, 9])).toBe(0);
  expect(desk.look([9, 9, 9, 9, 9])).toBe(0);
  desk.pool.give(blocks);
  expect([desk.pool.idleCount, desk.pool.dirtyCount]).toEqual([2, 2]);
  expect(desk.look([1, 2, 3, 4, 5, 6, 7, 8, 9])).toBe(2);
});

test('two that compute the same text at once: one copy is kept', () => {
  const desk = new Desk();
  const both = [desk.compute([1, 2, 3, 4, 5]), desk.compute([1, 2, 3, 4, 5])];
  for (const { blocks } of both) desk.pool.give(blocks);
  expect([desk.pool.idleCount, desk.cache.idleOf(1)]).toEqual([2, 2]);
});

test('a text grows block by block: each is offered once it is full', () => {
  const desk = new Desk();
  const { cache, pool } = desk;
  const chain = cache.createChain(1);
  const ids = idsOf([1, 2, 3, 4, 5, 6]);
  const blocks = [pool.take(), pool.take(), pool.take()];
  const kept = [1, 2, 3, 4, 5, 6].map((computed) => {
    cache.offer(chain, ids, blocks, computed, 0);
    return desk.look([1, 2, 3, 4, 5, 6, 7]);
  });
  expect(kept).toEqual([0, 1, 1, 2, 2, 3]);
});

test('after its time a block is forgotten; using it again gives it more; the next time is told', () => {
  const desk = new Desk();
  expect(desk.cache.expire(0)).toBe(Number.POSITIVE_INFINITY);
  desk.visit([1, 2, 3, 4, 5]);
  desk.now = 60;
  desk.visit([1, 2, 9]);
  expect(desk.cache.expire(60)).toBe(100);
  expect(desk.cache.expire(99)).toBe(100);
  expect(desk.cache.expire(100)).toBe(160);
  expect([desk.look([1, 2, 3, 4, 5]), desk.pool.dirtyCount]).toEqual([1, 1]);
  expect(desk.cache.expire(160)).toBe(Number.POSITIVE_INFINITY);
  expect([desk.pool.idleCount, desk.pool.dirtyCount]).toEqual([0, 2]);
  expect(desk.cache.counts.evicted).toBe(0);
});

test('a block whose time is over while it is in use is zeroed when its owner leaves', () => {
  const desk = new Desk();
  const { blocks } = desk.compute([1, 2, 3]);
  desk.cache.expire(100);
  expect(desk.look([1, 2, 3])).toBe(0);
  desk.pool.give(blocks);
  expect([desk.pool.idleCount, desk.pool.dirtyCount]).toEqual([0, 2]);
});

test("flush forgets one tenant's, or all", () => {
  const desk = new Desk();
  for (const tenant of [1, 2, 3]) desk.visit([1, 2, 3, 4, 5], tenant);
  expect(desk.cache.flush(2)).toBe(2);
  expect([1, 2, 3].map((tenant) => desk.look([1, 2, 3, 4, 5], tenant))).toEqual([2, 0, 2]);
  expect(desk.cache.flush(7)).toBe(0);
  expect(desk.cache.flush()).toBe(4);
  expect([desk.pool.idleCount, desk.pool.dirtyCount]).toEqual([0, 6]);
});

test('what a running sequence computes after a flush is not kept: nobody could find it', () => {
  const desk = new Desk();
  const { cache, pool } = desk;
  const ids = idsOf([1, 2, 3, 4, 5, 6]);
  const { blocks, chain } = desk.compute([1, 2, 3, 4]);
  cache.flush();
  blocks.push(pool.take());
  cache.offer(chain, ids, blocks, 6, 0);
  pool.give(blocks);
  expect(pool.idleCount).toBe(0);
});

test('discard forgets a chain, and leaves other texts', () => {
  const desk = new Desk();
  const { blocks, chain } = desk.compute([1, 2, 3, 4, 5, 6]);
  desk.visit([1, 2, 9, 9, 9]);
  desk.visit([7, 8, 9]);
  desk.cache.discard(chain);
  desk.pool.give(blocks);
  expect([desk.look([1, 2, 3, 4, 5, 6, 7]), desk.look([1, 2, 9, 9, 9]), desk.look([7, 8, 9])]).toEqual([0, 0, 1]);
});

test("counts are each tenant's own", () => {
  const desk = new Desk();
  desk.cache.count(1, 10, 4);
  desk.cache.count(1, 5, 0);
  desk.cache.count(2, 7, 7);
  desk.visit([1, 2, 3, 4, 5], 2);
  expect(desk.cache.evict(1, 1)).toBe(1);
  expect([1, 2, 3].map((tenant) => desk.cache.countsOf(tenant))).toEqual([
    { queries: 15, hits: 4, evicted: 0 },
    { queries: 7, hits: 7, evicted: 1 },
    { queries: 0, hits: 0, evicted: 0 },
  ]);
  expect(desk.cache.counts).toEqual({ queries: 22, hits: 11, evicted: 1 });
});

test('without time or quota nothing is kept', () => {
  for (const overrides of [{ timeToLiveMs: 0 }, { quota: 0 }]) {
    const desk = new Desk(overrides);
    expect(desk.cache.isOn).toBe(false);
    desk.visit([1, 2, 3, 4, 5]);
    expect([desk.visit([1, 2, 3, 4, 5]), desk.pool.idleCount]).toEqual([0, 0]);
  }
});

/** Many that begin alike. */
const texts = fc.tuple(fc.nat(8), fc.array(fc.nat(1), { minLength: 1, maxLength: 4 })).map(([length, end]) => [...Array<number>(length).fill(1), ...end]);

test("whatever a tenant does and however much it needs, another's blocks within the reserve stay", () => {
  const step = fc.record({ text: texts, need: fc.nat(40), holds: fc.boolean(), salt: fc.nat(2) });
  fc.assert(
    fc.property(fc.array(texts, { minLength: 1, maxLength: 4 }), fc.array(step, { maxLength: 40 }), fc.integer({ min: 4, max: 12 }), (own, flood, reserve) => {
      const desk = new Desk({ reserve, quota: reserve, timeToLiveMs: 1e9 }, 200);
      for (const text of own) desk.visit(text, 2);
      const before = own.map((text) => desk.look([...text, 0], 2));
      const idle = desk.cache.idleOf(2);
      const { evicted } = desk.cache.countsOf(2);
      for (const { text, need, holds, salt } of flood) {
        desk.now++;
        const { blocks } = desk.compute(text, 1, Uint32Array.of(salt));
        if (!holds) desk.pool.give(blocks);
        desk.cache.evict(1, need);
        desk.cache.expire(desk.now);
        desk.pool.clean();
        if (desk.pool.freeCount < 10) break;
      }
      expect(desk.cache.idleOf(2)).toBe(idle);
      expect(own.map((text) => desk.look([...text, 0], 2))).toEqual(before);
      expect(desk.cache.countsOf(2).evicted).toBe(evicted);
    }),
  );
});

test("a third tenant's need takes from the one that holds most", () => {
  const desk = new Desk({ reserve: 6, quota: 8 });
  desk.visit([1, 2, 3, 4, 5], 2);
  for (let text = 0; text < 8; text++) desk.visit([text, 9, 9], 1);
  expect(desk.cache.evictable(3)).toBe(4);
  expect(desk.cache.evict(3, 10)).toBe(4);
  expect([1, 2].map((tenant) => desk.cache.idleOf(tenant))).toEqual([4, 2]);
  // Only whoever is alone and cannot run otherwise takes what others are entitled to.
  expect(desk.cache.evict(3, 10, true)).toBe(6);
});

/** The cache as a list of texts: one line a kept block, longest unused first. */
interface Line {
  readonly owner: string;
  readonly tenant: number;
  /** The tokens up to the end of the block. */
  readonly text: string;
  users: number;
  usedAt: number;
}

test('any order of visits, stays, evictions, flushes and time: the cache finds what a list of texts says', () => {
  const op = fc.oneof(
    { weight: 4, arbitrary: fc.record({ text: texts, tenant: fc.nat(1), salt: fc.nat(1), stays: fc.boolean() }) },
    fc.record({ leave: fc.nat(5) }),
    fc.record({ evict: fc.integer({ min: 1, max: 3 }), by: fc.nat(1) }),
    fc.record({ flush: fc.nat(2) }),
    fc.record({ wait: fc.nat(60) }),
  );
  let hits = 0;
  fc.assert(
    fc.property(fc.array(op, { minLength: 10, maxLength: 60 }), fc.integer({ min: 1, max: 8 }), fc.nat(8), (ops, quota, reserve) => {
      const desk = new Desk({ quota, reserve }, 400);
      let lines: Line[] = [];
      const stays: { readonly lines: readonly Line[]; readonly blocks: BlockId[] }[] = [];
      const idle = (tenant?: number): Line[] => lines.filter((line) => line.users === 0 && (tenant === undefined || line.tenant === tenant));
      const drop = (line: Line | undefined): void => {
        lines = lines.filter((other) => other !== line);
      };
      const touch = (used: readonly Line[]): void => {
        for (const line of [...used].reverse()) {
          if (!lines.includes(line)) continue;
          drop(line);
          line.usedAt = desk.now;
          lines.push(line);
        }
      };
      const leave = (stay: (typeof stays)[number] | undefined): void => {
        if (stay === undefined) return;
        for (const line of stay.lines) line.users--;
        desk.pool.give(stay.blocks);
      };
      for (const each of ops) {
        if ('text' in each) {
          const { text, tenant, salt } = each;
          const owner = `${tenant}/${salt}`;
          const prefixes = Array.from({ length: Math.floor(text.length / blockLength) }, (_, i) => text.slice(0, (i + 1) * blockLength).join());
          const lineOf = (prefix: string): Line | undefined => lines.find((line) => line.owner === owner && line.text === prefix);
          const used: Line[] = [];
          for (const prefix of prefixes.slice(0, Math.floor((text.length - 1) / blockLength))) {
            const line = lineOf(prefix);
            if (line === undefined) break;
            used.push(line);
          }
          const visit = desk.compute(text, tenant, Uint32Array.of(salt));
          expect(visit.found).toBe(used.length);
          hits += visit.found;
          for (const line of used) line.users++;
          touch(used);
          for (const prefix of prefixes.slice(used.length)) {
            if (lineOf(prefix) !== undefined) continue;
            const parent = prefixes[prefixes.indexOf(prefix) - 1];
            if (parent !== undefined && lineOf(parent) === undefined) break;
            if (lines.filter((line) => line.tenant === tenant).length >= quota) {
              const [oldest] = idle(tenant);
              if (oldest === undefined) break;
              drop(oldest);
            }
            const line = { owner, tenant, text: prefix, users: 1, usedAt: desk.now };
            lines.push(line);
            used.push(line);
          }
          if (prefixes.length > visit.found) touch(prefixes.flatMap((prefix) => lineOf(prefix) ?? []));
          stays.push({ lines: used, blocks: visit.blocks });
          if (!each.stays) leave(stays.pop());
        } else if ('leave' in each) leave(stays.splice(each.leave % Math.max(1, stays.length), 1)[0]);
        else if ('evict' in each) {
          let count = 0;
          for (; count < each.evict; count++) {
            const other = idle().length > reserve ? idle(1 - each.by)[0] : undefined;
            const line = idle(each.by)[0] ?? other;
            if (line === undefined) break;
            drop(line);
          }
          expect(desk.cache.evict(each.by, each.evict)).toBe(count);
        } else if ('flush' in each) {
          const gone = lines.filter(({ tenant }) => each.flush === 2 || tenant === each.flush);
          expect(desk.cache.flush(each.flush === 2 ? undefined : each.flush)).toBe(gone.length);
          for (const line of gone) drop(line);
        } else {
          desk.now += each.wait;
          lines = lines.filter(({ usedAt }) => usedAt + limits.timeToLiveMs > desk.now);
          const next = Math.min(...lines.map(({ usedAt }) => usedAt + limits.timeToLiveMs));
          expect(desk.cache.expire(desk.now)).toBe(next);
        }
        expect([0, 1].map((tenant) => desk.cache.idleOf(tenant))).toEqual([0, 1].map((tenant) => idle(tenant).length));
        expect(desk.cache.evictable(0)).toBe(idle(0).length + Math.max(0, idle(1).length - reserve));
      }
      for (const stay of stays) leave(stay);
      desk.cache.flush();
      expect(desk.pool.clean().length + desk.pool.freeCount).toBeGreaterThanOrEqual(400);
      expect(desk.pool.freeCount).toBe(400);
    }),
    { numRuns: 500 },
  );
  // Else the property would say nothing about it.
  expect(hits).toBeGreaterThan(1000);
});
