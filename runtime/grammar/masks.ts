/**
 * Owns which tokens may come at a place of an automaton: a bit for each, as the kernel wants them (kernels/sample.ts). What the frame on
 * top decides alone is remembered with the frame, whatever lies below it; tokens that leave the frame are walked on from what is below.
 * Refuses to keep more than a bounded number of masks.
 */
import { type Exit, type Frame, isComplete, type Place, type Stack } from './frame.ts';
import type { Trie, Vocabulary } from './vocabulary.ts';

/** What a frame knows of its tokens, all of them or, where there are few, their ids; and where tokens leave it. */
interface Known {
  readonly owner: Masks;
  readonly words: Uint32Array | undefined;
  readonly ids: Uint32Array | undefined;
  readonly leaving: readonly { readonly exit: Exit; readonly trie: Trie; readonly nodes: readonly number[] }[];
}

type Leave = (exit: Exit, trie: Trie, node: number) => void;

/** Frames whose masks are kept. With 150,000 tokens one takes 19 KB. */
const keptMasks = 1024;
/** Lengths of strings for which the tokens that fit are listed ahead. */
const listedLengths = 32;

export class Masks {
  readonly vocabulary: Vocabulary;
  /** Words of a mask. */
  readonly length: number;
  readonly #stopIds: readonly number[];
  /** By number of characters, all plain tokens that are no longer. */
  readonly #plain: Uint32Array[] = [];
  #kept: Frame[] = [];

  constructor(vocabulary: Vocabulary, stopIds: readonly number[]) {
    [this.vocabulary, this.#stopIds] = [vocabulary, stopIds];
    this.length = Math.ceil(vocabulary.size / 32);
    for (let most = 0; most <= listedLengths + 1; most++) this.#plain.push(this.#listPlain(most > listedLengths ? Number.POSITIVE_INFINITY : most));
  }

  /** Writes the mask of a place; false if no token may come. */
  fill(place: Place, words: Uint32Array): boolean {
    const known = this.#know(place.frame);
    if (known.words === undefined) words.fill(0);
    else words.set(known.words);
    for (const id of known.ids ?? []) set(words, id);
    if (place.stack !== null) for (const { exit, trie, nodes } of known.leaving) this.#follow(exit, trie, nodes, place.stack, words);
    if (isComplete(place)) for (const id of this.#stopIds) set(words, id);
    return words.some((word) => word !== 0);
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
    const words = new Uint32Array(this.length);
    const leaving = new Map<Exit, Map<Trie, number[]>>();
    const leave: Leave = (exit, trie, node) => {
      const byTrie = leaving.get(exit) ?? new Map<Trie, number[]>();
      const nodes = byTrie.get(trie) ?? [];
      nodes.push(node);
      leaving.set(exit, byTrie.set(trie, nodes));
    };
    if (frame.freedom >= 0) this.#fillFree(frame.freedom, words);
    else this.#walk(plain, 0, plain.bytes.length, { frame, stack: null }, words, leave);
    this.#walk(special, 0, special.bytes.length, { frame, stack: null }, words, leave);
    const lists = Array.from(leaving, ([exit, byTrie]) => Array.from(byTrie, ([trie, nodes]) => ({ exit, trie, nodes }))).flat();
    const ids = listIds(words, this.length / 4);
    return { owner: this, words: ids === undefined ? words : undefined, ids, leaving: lists };
  }

  #fillFree(freedom: number, words: Uint32Array): void {
    const { lengths, plain } = this.vocabulary;
    words.set(this.#plain[freedom === Number.POSITIVE_INFINITY ? listedLengths + 1 : Math.min(freedom, listedLengths)]!);
    if (freedom > listedLengths && freedom < Number.POSITIVE_INFINITY) for (const id of plain.ids) if (lengths[id]! <= freedom) set(words, id);
  }

  /** Tokens that left their frame at a node, walked on from the frames below. */
  #follow(exit: Exit, trie: Trie, nodes: readonly number[], { frame, below }: Stack, words: Uint32Array): void {
    const resumed = frame.resume(exit);
    if (resumed === null) return;
    const place = { frame: resumed, stack: below };
    for (const node of nodes) {
      if (!exit.isConsumed) this.#walk(trie, node, trie.skip[node]!, place, words, undefined);
      else {
        mark(trie, node, node + 1, words);
        this.#walk(trie, node + 1, trie.skip[node]!, place, words, undefined);
      }
    }
  }

  /** Marks tokens of the nodes [from, to), siblings with all below them, that the automaton takes from a place on. */
  #walk(trie: Trie, from: number, to: number, place: Place, words: Uint32Array, leave: Leave | undefined): void {
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
        this.#markFree(trie, node, frame.freedom, words);
        node = skip[node]!;
        continue;
      }
      mark(trie, node, node + 1, words);
      frames[depth + 1] = frame;
      stacks[depth + 1] = stack;
      node++;
    }
  }

  /** Behind a node any plain text of so many characters may follow. */
  #markFree(trie: Trie, node: number, freedom: number, words: Uint32Array): void {
    const end = trie.skip[node]!;
    const { lengths } = this.vocabulary;
    const before = freedom === Number.POSITIVE_INFINITY ? 0 : this.#countBefore(trie, node);
    for (let i = trie.tokens[node]!; i < trie.tokens[end]!; i++) if (lengths[trie.ids[i]!]! - before <= freedom) set(words, trie.ids[i]!);
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

function mark({ tokens, ids }: Trie, from: number, to: number, words: Uint32Array): void {
  for (let i = tokens[from]!; i < tokens[to]!; i++) set(words, ids[i]!);
}

/** The ids of a mask, if there are no more than `most`. */
function listIds(words: Uint32Array, most: number): Uint32Array | undefined {
  const found: number[] = [];
  for (const [i, word] of words.entries())
    for (let left = word; left !== 0; left &= left - 1) {
      if (found.length >= most) return undefined;
      found.push(i * 32 + 31 - Math.clz32(left & -left));
    }
  return Uint32Array.from(found);
}
