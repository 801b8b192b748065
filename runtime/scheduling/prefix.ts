/**
 * Owns the prefix cache: which full blocks of earlier sequences can be used again, by whom and how long. A block's key is a keyed
 * hash of its tokens and of the key of the block before it; the first one follows from a secret made at start, the tenant
 * and the request's salt. So no tenant can find or guess a block of another, and no token stands in a key.
 * Refuses to hold content: it names blocks of the pool, which keeps them.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { BlockId } from '../types.ts';
import type { BlockPool, Keeper } from './blocks.ts';

export interface PrefixLimits {
  readonly blockLength: number;
  /** Blocks that are kept for one tenant at most. */
  readonly quota: number;
  /** Idle blocks that tenants may hold against the need of others, all together. */
  readonly reserve: number;
  /** Blocks not used for so long are zeroed. 0: nothing is kept. */
  readonly timeToLiveMs: number;
}

/** Counts of one tenant since the start, in tokens but for blocks. */
export interface PrefixCounts {
  /** Prompt tokens that were looked up, and those that were found. */
  queries: number;
  hits: number;
  /** Blocks that had to make room for others. */
  evicted: number;
}

/** The keys of a sequence's full blocks, as far as they are known, and how many of its blocks have been offered to the cache. */
export class PrefixChain {
  readonly tenant: number;
  readonly secret: Buffer;
  readonly keys: string[] = [];
  offered = 0;

  constructor(tenant: number, secret: Buffer) {
    this.tenant = tenant;
    this.secret = secret;
  }
}

interface Entry {
  readonly block: BlockId;
  usedAt: number;
}

interface Shelf extends Keeper {
  /** By key, the one that was not used for the longest time first; a block stands before the one that it follows. */
  readonly entries: Map<string, Entry>;
  readonly counts: PrefixCounts;
}

export class PrefixCache {
  readonly #limits: PrefixLimits;
  readonly #pool: BlockPool;
  readonly #secret = randomBytes(32);
  readonly #shelves = new Map<number, Shelf>();

  constructor(limits: PrefixLimits, pool: BlockPool) {
    this.#limits = limits;
    this.#pool = pool;
  }

  get isOn(): boolean {
    return this.#limits.timeToLiveMs > 0 && this.#limits.quota > 0;
  }

  /** `salt`: requests with different ones share nothing. */
  createChain(tenant: number, salt: Uint32Array = new Uint32Array()): PrefixChain {
    const domain = Uint32Array.of(tenant, ...salt);
    return new PrefixChain(tenant, createHmac('sha256', this.#secret).update(new Uint8Array(domain.buffer)).digest());
  }

  /** The longest run of kept blocks that hold the first of the `length` tokens; the last token is never among them, because it has to be computed. Takes nothing. */
  find(chain: PrefixChain, ids: Uint32Array, length: number): readonly BlockId[] {
    const entries = this.#shelves.get(chain.tenant)?.entries;
    const found: BlockId[] = [];
    if (entries === undefined || entries.size === 0) return found;
    const most = Math.floor((length - 1) / this.#limits.blockLength);
    while (found.length < most) {
      const entry = entries.get(this.#key(chain, ids, found.length));
      if (entry === undefined) break;
      found.push(entry.block);
    }
    return found;
  }

  /** Takes what `find` gave: each block has an owner more. */
  take(chain: PrefixChain, blocks: readonly BlockId[], now: number): void {
    for (const block of blocks) this.#pool.share(block);
    this.#touch(chain, blocks.length, now);
    chain.offered = blocks.length;
  }

  /** For the counters: a prompt was looked up, of which so many tokens were found. */
  count(tenant: number, queries: number, hits: number): void {
    const { counts } = this.#shelf(tenant);
    counts.queries += queries;
    counts.hits += hits;
  }

  /** Keeps the full ones of a sequence's blocks, as long as the quota allows; `computed`: tokens whose keys and values are stored. */
  offer(chain: PrefixChain, ids: Uint32Array, blocks: readonly BlockId[], computed: number, now: number): void {
    const full = Math.floor(computed / this.#limits.blockLength);
    if (!this.isOn || full <= chain.offered) return;
    const shelf = this.#shelf(chain.tenant);
    const { entries } = shelf;
    for (; chain.offered < full; chain.offered++) {
      const block = blocks[chain.offered];
      const key = this.#key(chain, ids, chain.offered);
      // Another sequence has computed the same: one copy is enough.
      if (block === undefined || entries.has(key)) continue;
      // What follows a block that is not kept cannot be found: that one was flushed, or too old, or all that the tenant may keep was in use.
      const isFindable = chain.offered === 0 || entries.has(chain.keys[chain.offered - 1] ?? '');
      if (!isFindable || (entries.size >= this.#limits.quota && this.#evictFrom(chain.tenant, 1) === 0)) {
        chain.offered = Number.POSITIVE_INFINITY;
        break;
      }
      this.#pool.keep(block, shelf);
      entries.set(key, { block, usedAt: now });
    }
    this.#touch(chain, full, now);
  }

  /** Idle blocks that would make room for a tenant: all of its own, and of others what is beyond the reserve. */
  evictable(tenant: number): number {
    const own = this.idleOf(tenant);
    return own + Math.max(0, this.#pool.idleCount - own - this.#limits.reserve);
  }

  /** Gives up to `count` idle blocks back to the pool, for a tenant: its own first. With `all`, those that others are entitled to as well. Gives how many. */
  evict(tenant: number, count: number, all = false): number {
    let evicted = this.#evictFrom(tenant, count);
    const spared = all ? 0 : this.#limits.reserve;
    while (evicted < count && this.#pool.idleCount > spared) {
      // Who holds most gives first.
      const [richest] = [...this.#shelves.keys()].filter((other) => other !== tenant).sort((a, b) => this.idleOf(b) - this.idleOf(a));
      const given = richest === undefined ? 0 : this.#evictFrom(richest, 1);
      if (given === 0) break;
      evicted += given;
    }
    return evicted;
  }

  /** Forgets what has not been used for too long. Gives the time of the next expiry. */
  expire(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { entries } of this.#shelves.values()) {
      for (const [key, entry] of entries) {
        const end = entry.usedAt + this.#limits.timeToLiveMs;
        if (end > now) {
          next = Math.min(next, end);
          break;
        }
        this.#forget(entries, key, entry);
      }
    }
    return next;
  }

  /** Forgets the blocks of a chain. */
  discard(chain: PrefixChain): void {
    const entries = this.#shelves.get(chain.tenant)?.entries;
    for (const key of chain.keys) {
      const entry = entries?.get(key);
      if (entries !== undefined && entry !== undefined) this.#forget(entries, key, entry);
    }
  }

  /** Forgets all that is kept for a tenant, or for all. Gives how many blocks that were. */
  flush(tenant?: number): number {
    let count = 0;
    for (const [owner, { entries }] of this.#shelves) {
      if (tenant !== undefined && owner !== tenant) continue;
      count += entries.size;
      for (const [key, entry] of entries) this.#forget(entries, key, entry);
    }
    return count;
  }

  /** Blocks kept for a tenant that no sequence owns. */
  idleOf(tenant: number): number {
    return this.#shelves.get(tenant)?.idle ?? 0;
  }

  countsOf(tenant: number): Readonly<PrefixCounts> {
    return this.#shelves.get(tenant)?.counts ?? { queries: 0, hits: 0, evicted: 0 };
  }

  get counts(): Readonly<PrefixCounts> {
    const sum = { queries: 0, hits: 0, evicted: 0 };
    for (const { counts } of this.#shelves.values()) {
      sum.queries += counts.queries;
      sum.hits += counts.hits;
      sum.evicted += counts.evicted;
    }
    return sum;
  }

  #shelf(tenant: number): Shelf {
    let shelf = this.#shelves.get(tenant);
    if (shelf === undefined) {
      shelf = { idle: 0, entries: new Map(), counts: { queries: 0, hits: 0, evicted: 0 } };
      this.#shelves.set(tenant, shelf);
    }
    return shelf;
  }

  /** Key of full block `index`. */
  #key(chain: PrefixChain, ids: Uint32Array, index: number): string {
    const { blockLength } = this.#limits;
    for (let next = chain.keys.length; next <= index; next++) {
      const tokens = new Uint8Array(ids.buffer, ids.byteOffset + next * blockLength * 4, blockLength * 4);
      const hash = createHmac('sha256', chain.secret)
        .update(chain.keys[next - 1] ?? '', 'latin1')
        .update(tokens);
      chain.keys.push(hash.digest('binary'));
    }
    return chain.keys[index] ?? '';
  }

  /** The first `count` blocks of a chain were used; from the last to the first, so that no block goes before those that follow it. */
  #touch(chain: PrefixChain, count: number, now: number): void {
    const entries = this.#shelves.get(chain.tenant)?.entries;
    for (let index = count - 1; index >= 0; index--) {
      const key = chain.keys[index] ?? '';
      const entry = entries?.get(key);
      if (entry === undefined) continue;
      entry.usedAt = now;
      entries?.delete(key);
      entries?.set(key, entry);
    }
  }

  #forget(entries: Map<string, Entry>, key: string, { block }: Entry): void {
    entries.delete(key);
    this.#pool.forget(block);
  }

  #evictFrom(tenant: number, count: number): number {
    const shelf = this.#shelves.get(tenant);
    let evicted = 0;
    if (shelf === undefined) return 0;
    for (const [key, entry] of shelf.entries) {
      if (evicted >= count) break;
      if (!this.#pool.isIdle(entry.block)) continue;
      this.#forget(shelf.entries, key, entry);
      evicted++;
    }
    shelf.counts.evicted += evicted;
    return evicted;
  }
}
