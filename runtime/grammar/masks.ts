/**
 * Owns which tokens may come at a place of an automaton: a bit for each, as the kernel wants them (kernels/sample.ts). What the frame on
 * top decides alone is remembered with the frame, whatever lies below it; tokens that leave the frame are walked on from what is below.
 * Refuses to keep more than a bounded number of masks.
 */
import type { TokenId } from '../types.ts';
import { type Exit, type Frame, isComplete, listTokens, type Place, type Stack } from './frame.ts';
import type { Trie, Vocabulary } from './vocabulary.ts';

/** What a frame knows of its tokens: those of `base`, which frames share, with those of `ids`; and where tokens leave it. */
interface Known {
  readonly owner: Masks;
  readonly base: Uint32Array | undefined;
  readonly ids: Uint32Array;
  readonly leaving: readonly { readonly exit: Exit; readonly trie: Trie; readonly nodes: readonly number[] }[];
}

type Leave = (exit: Exit, trie: Trie, node: number) => void;

/** Frames whose masks are kept. With 150,000 tokens one takes at most 19 KB. */
const keptMasks = 2048;
/** Lengths of strings for which the tokens that fit are listed ahead. */
const listedLengths = 32;

export class Masks {
  readonly vocabulary: Vocabulary;
  /** Words of a mask. */
  readonly length: number;
  readonly #stopIds: readonly number[];
  /** By number of characters, all plain tokens that are no longer. */
  readonly #plain: Uint32Array[] = [];
  /** Plain tokens of more characters than are listed. */
  readonly #long: Uint32Array;
  /** Tokens that a walk has found. */
  readonly #found: Uint32Array<ArrayBuffer>;
  #count = 0;
  #kept: Frame[] = [];

  constructor(vocabulary: Vocabulary, stopIds: readonly number[]) {
    [this.vocabulary, this.#stopIds] = [vocabulary, stopIds];
    this.length = Math.ceil(vocabulary.size / 32);
    this.#found = new Uint32Array(vocabulary.size * 2);
    this.#long = vocabulary.plain.ids.filter((id) => vocabulary.lengths[id]! > listedLengths);
    for (let most = 0; most <= listedLengths + 1; most++) this.#plain.push(this.#listPlain(most > listedLengths ? Number.POSITIVE_INFINITY : most));
  }

  /** Writes the mask of a place; false if no token may come. */
  fill(place: Place, words: Uint32Array): boolean {
    const { base, ids, leaving } = this.#know(place.frame);
    if (base === undefined) words.fill(0);
    else words.set(base);
    for (let i = 0; i < ids.length; i++) set(words, ids[i]!);
    this.#count = 0;
    if (place.stack !== null) for (const { exit, trie, nodes } of leaving) this.#follow(exit, trie, nodes, place.stack);
    if (isComplete(place)) for (const id of this.#stopIds) this.#take(id);
    for (const id of listTokens(place)) if (id < this.vocabulary.size) this.#take(id);
    for (let i = 0; i < this.#count; i++) set(words, this.#found[i]!);
    return base !== undefined || ids.length + this.#count > 0;
  }

  /** The one token of a mask, or the first of several that all end the answer; undefined where there is a choice. */
  findOnly(words: Uint32Array): TokenId | undefined {
    let found: number | undefined;
    for (let word = 0; word < words.length; word++)
      for (let left = words[word]!; left !== 0; left &= left - 1) {
        const id = word * 32 + 31 - Math.clz32(left & -left);
        if (found !== undefined && !(this.#stopIds.includes(found) && this.#stopIds.includes(id))) return undefined;
        found ??= id;
      }
    return found as TokenId | undefined;
  }

  /** What was computed for grammars, whose words it tells. */
  forget(): void {
    for (const frame of this.#kept) frame.known = undefined;
    this.#kept = [];
    this.#found.fill(0);
  }

  #listPlain(most: number): Uint32Array {
    const words = new Uint32Array(this.length);
    for (const id of this.vocabulary.plain.ids) if (this.vocabulary.lengths[id]! <= most) set(words, id);
    return words;
  }

  #know(frame: Frame): Known {
    const known = frame.known as Known | undefined;
    if (known?.owner === this) return known;
    const made = this.#compute(frame);
    frame.known = made;
    this.#kept.push(frame);
    if (this.#kept.length > keptMasks) {
      for (const old of this.#kept.slice(0, keptMasks / 2)) old.known = undefined;
      this.#kept = this.#kept.slice(keptMasks / 2);
    }
    return made;
  }

  #compute(frame: Frame): Known {
    const { plain, special } = this.vocabulary;
    const leaving = new Map<Exit, Map<Trie, number[]>>();
    const leave: Leave = (exit, trie, node) => {
      const byTrie = leaving.get(exit) ?? new Map<Trie, number[]>();
      const nodes = byTrie.get(trie) ?? [];
      nodes.push(node);
      leaving.set(exit, byTrie.set(trie, nodes));
    };
    this.#count = 0;
    const base = frame.freedom > 0 ? this.#takeFree(frame.freedom) : undefined;
    if (base === undefined) this.#walk(plain, 0, plain.bytes.length, { frame, stack: null }, leave);
    this.#walk(special, 0, special.bytes.length, { frame, stack: null }, leave);
    const lists = Array.from(leaving, ([exit, byTrie]) => Array.from(byTrie, ([trie, nodes]) => ({ exit, trie, nodes }))).flat();
    return { owner: this, ...this.#pack(base), leaving: lists };
  }

  /** What was found, as ids, or as bits where those are shorter. */
  #pack(base: Uint32Array | undefined): Pick<Known, 'base' | 'ids'> {
    const found = this.#found.subarray(0, this.#count);
    if (found.length <= this.length) return { base, ids: found.slice() };
    const words = base?.slice() ?? new Uint32Array(this.length);
    for (let i = 0; i < found.length; i++) set(words, found[i]!);
    return { base: words, ids: new Uint32Array(0) };
  }

  /** Plain tokens of up to so many characters: those that are listed, and the few longer ones. */
  #takeFree(freedom: number): Uint32Array {
    if (freedom === Number.POSITIVE_INFINITY) return this.#plain[listedLengths + 1]!;
    for (const id of this.#long) if (this.vocabulary.lengths[id]! <= freedom) this.#take(id);
    return this.#plain[Math.min(freedom, listedLengths)]!;
  }

  /** Tokens that left their frame at a node, walked on from the frames below. */
  #follow(exit: Exit, trie: Trie, nodes: readonly number[], { frame, below }: Stack): void {
    const resumed = frame.resume(exit);
    if (resumed === null) return;
    const place = { frame: resumed, stack: below };
    for (const node of nodes) {
      if (!exit.isConsumed) this.#walk(trie, node, trie.skip[node]!, place, undefined);
      else {
        this.#mark(trie, node, node + 1);
        this.#walk(trie, node + 1, trie.skip[node]!, place, undefined);
      }
    }
  }

  /** Marks tokens of the nodes [from, to), siblings with all below them, that the automaton takes from a place on. */
  #walk(trie: Trie, from: number, to: number, place: Place, leave: Leave | undefined): void {
    if (from >= to) return;
    const { bytes, depths, skip } = trie;
    const start = depths[from]!;
    const frames: Frame[] = [place.frame];
    const stacks: (Stack | null)[] = [place.stack];
    const isPlain = trie === this.vocabulary.plain;
    for (let node = from; node < to; ) {
      const depth = depths[node]! - start;
      let frame = frames[depth]!;
      let stack: Stack | null = stacks[depth] ?? null;
      let outcome = frame.step(bytes[node]!);
      while (outcome !== null && outcome.kind === 'exit') {
        if (stack === null) leave?.(outcome, trie, node);
        const resumed: Frame | null = stack === null ? null : stack.frame.resume(outcome);
        if (resumed === null || stack === null) outcome = null;
        else {
          stack = stack.below;
          frame = resumed;
          outcome = outcome.isConsumed ? resumed : resumed.step(bytes[node]!);
        }
      }
      if (outcome === null) {
        node = skip[node]!;
        continue;
      }
      if (outcome.kind === 'push') {
        stack = { frame: outcome.below, below: stack };
        frame = outcome.child;
      } else frame = outcome;
      if (isPlain && frame.freedom >= 0) {
        this.#markFree(trie, node, frame.freedom);
        node = skip[node]!;
        continue;
      }
      this.#mark(trie, node, node + 1);
      frames[depth + 1] = frame;
      stacks[depth + 1] = stack;
      node++;
    }
  }

  /** Behind a node any plain text of so many characters may follow. */
  #markFree(trie: Trie, node: number, freedom: number): void {
    const end = trie.skip[node]!;
    const { lengths } = this.vocabulary;
    const before = freedom === Number.POSITIVE_INFINITY ? 0 : this.#countBefore(trie, node);
    for (let i = trie.tokens[node]!; i < trie.tokens[end]!; i++) if (lengths[trie.ids[i]!]! - before <= freedom) this.#take(trie.ids[i]!);
  }

  #mark({ tokens, ids }: Trie, from: number, to: number): void {
    for (let i = tokens[from]!; i < tokens[to]!; i++) this.#take(ids[i]!);
  }

  #take(id: number): void {
    this.#found[this.#count++] = id;
  }

  /** Characters up to a node. */
  #countBefore(trie: Trie, node: number): number {
    const token = trie.ids[trie.tokens[node]!]!;
    const start = this.vocabulary.offsets[token]!;
    const bytes = this.vocabulary.bytes.subarray(start, start + trie.depths[node]! + 1);
    return bytes.reduce((count, byte) => count + (byte >= 0x80 && byte <= 0xbf ? 0 : 1), 0);
  }
}

function set(words: Uint32Array, id: number): void {
  words[id >>> 5]! |= 1 << (id & 31);
}
