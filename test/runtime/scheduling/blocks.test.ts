/** The pool: each block is free, owned, idle or dirty, and nobody gets one that has not been zeroed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockPool, type Keeper } from '../../../runtime/scheduling/blocks.ts';
import type { BlockId } from '../../../runtime/types.ts';

/** What is true of a block, written down. */
interface Plain {
  state: 'free' | 'held' | 'dirty';
  owners: number;
  keeper: Keeper | undefined;
}

const isIdle = ({ state, owners, keeper }: Plain): boolean => state === 'held' && owners === 0 && keeper !== undefined;

class Model {
  readonly pool: BlockPool;
  readonly blocks: Plain[];
  readonly keepers: readonly Keeper[] = [{ idle: 0 }, { idle: 0 }];

  constructor(total: number) {
    this.pool = new BlockPool(total);
    this.blocks = Array.from({ length: total }, () => ({ state: 'free', owners: 0, keeper: undefined }));
  }

  of(block: number): Plain {
    const plain = this.blocks[block];
    if (plain === undefined) throw new Error('no such block');
    return plain;
  }

  count(is: (plain: Plain) => boolean): number {
    return this.blocks.filter(is).length;
  }

  /** Nobody holds it any more. */
  settle(plain: Plain): void {
    if (plain.state === 'held' && plain.owners === 0 && plain.keeper === undefined) plain.state = 'dirty';
  }

  check(): void {
    const { pool, blocks, keepers } = this;
    expect(pool.freeCount).toBe(this.count(({ state }) => state === 'free'));
    expect(pool.dirtyCount).toBe(this.count(({ state }) => state === 'dirty'));
    expect(pool.idleCount).toBe(this.count(isIdle));
    expect(keepers.map(({ idle }) => idle)).toEqual(keepers.map((keeper) => this.count((plain) => isIdle(plain) && plain.keeper === keeper)));
    expect([...pool.freeBlocks].sort((a, b) => a - b)).toEqual(blocks.flatMap(({ state }, block) => (state === 'free' ? [block] : [])));
    blocks.forEach((plain, block) => {
      expect([pool.ownersOf(block as BlockId), pool.isIdle(block as BlockId)]).toEqual([plain.owners, isIdle(plain)]);
    });
  }
}

type Command = fc.Command<Model, BlockPool>;

/** Does it, or throws and changes nothing: as the model says. */
function command(name: string, run: (model: Model) => void): Command {
  return {
    check: () => true,
    run: (model) => {
      run(model);
      model.check();
    },
    toString: () => name,
  };
}

const take = (): Command =>
  command('take', (model) => {
    if (model.count(({ state }) => state === 'free') === 0) {
      expect(() => model.pool.take()).toThrow();
      return;
    }
    const block = model.pool.take();
    expect(model.of(block).state).toBe('free');
    Object.assign(model.of(block), { state: 'held', owners: 1 });
  });

const share = (at: number): Command =>
  command(`share ${at}`, (model) => {
    const block = (at % model.blocks.length) as BlockId;
    const plain = model.of(block);
    if (plain.state === 'held') {
      model.pool.share(block);
      plain.owners++;
    } else expect(() => model.pool.share(block)).toThrow();
  });

const give = (at: number): Command =>
  command(`give ${at}`, (model) => {
    const block = (at % model.blocks.length) as BlockId;
    const plain = model.of(block);
    if (plain.owners > 0) {
      model.pool.give([block]);
      plain.owners--;
      model.settle(plain);
    } else expect(() => model.pool.give([block])).toThrow();
  });

const keep = (at: number, who: number): Command =>
  command(`keep ${at} for ${who}`, (model) => {
    const block = (at % model.blocks.length) as BlockId;
    const plain = model.of(block);
    const keeper = model.keepers[who] as Keeper;
    if (plain.owners > 0 && plain.keeper === undefined) {
      model.pool.keep(block, keeper);
      plain.keeper = keeper;
    } else expect(() => model.pool.keep(block, keeper)).toThrow();
  });

const forget = (at: number): Command =>
  command(`forget ${at}`, (model) => {
    const block = (at % model.blocks.length) as BlockId;
    const plain = model.of(block);
    model.pool.forget(block);
    plain.keeper = undefined;
    model.settle(plain);
  });

const clean = (): Command =>
  command('clean', (model) => {
    const dirty = model.blocks.flatMap((plain, block) => (plain.state === 'dirty' ? [block] : []));
    expect([...model.pool.clean()].sort((a, b) => a - b)).toEqual(dirty);
    for (const block of dirty) model.of(block).state = 'free';
  });

test('any order of take, share, give, keep, forget and clean: the pool says of each block what a list says', () => {
  const block = fc.nat(7);
  const commands = fc.commands<Model, BlockPool>(
    [
      fc.constant(take()),
      fc.constant(clean()),
      block.map(share),
      block.map(give),
      block.map(forget),
      fc.tuple(block, fc.nat(1)).map(([at, who]) => keep(at, who)),
    ],
    { maxCommands: 80 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), commands, (total, list) => {
      const model = new Model(total);
      fc.modelRun(() => ({ model, real: model.pool }), list);
    }),
    { numRuns: 400 },
  );
});

test('a pool of more blocks than a call may have arguments is given back whole', () => {
  const total = 300_000;
  const pool = new BlockPool(total);
  pool.give(Array.from({ length: total }, () => pool.take()));
  expect(pool.clean().length).toBe(total);
  expect(pool.freeCount).toBe(total);
});
