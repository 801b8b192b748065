/** The pool: a block has one owner, and nobody gets one that has not been zeroed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockPool } from '../../runtime/blocks.ts';
import type { BlockId } from '../../runtime/types.ts';

test('takes, gives and cleans in any order: each block is in one place, dirty ones only come back cleaned', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.array(fc.constantFrom('take', 'give', 'clean'), { maxLength: 60 }), (total, ops) => {
      const pool = new BlockPool(total);
      const taken: BlockId[] = [];
      let dirty: BlockId[] = [];
      for (const op of ops) {
        if (op === 'clean') {
          expect([...pool.clean()].sort()).toEqual(dirty.sort());
          dirty = [];
        } else if (op === 'give') {
          const some = taken.splice(0, 2);
          pool.give(some);
          dirty.push(...some);
        } else if (pool.freeCount > 0) {
          const block = pool.take();
          expect(block).toBeGreaterThanOrEqual(0);
          expect(block).toBeLessThan(total);
          expect([...taken, ...dirty]).not.toContain(block);
          taken.push(block);
        } else expect(() => pool.take()).toThrow();
        expect([pool.freeCount, pool.dirtyCount]).toEqual([total - taken.length - dirty.length, dirty.length]);
      }
    }),
  );
});
