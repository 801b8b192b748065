/**
 * Owns the merging of pairs within one word, the best pair first and the leftmost of equal ones: the loop of every BPE.
 * Time is n log n in the length of the word. Keeps its lists as plain arrays, whose memory counts against the limit of the process, and nothing between words.
 */

/** A word in pieces; arrays are by place of a piece's first character. */
export interface Pieces {
  /** The token of a piece, or -1 where it has none. */
  readonly ids: number[];
  /** Where the piece ends, in UTF-16 code units of the word. */
  readonly ends: number[];
}

export interface PairTable {
  /** The merge of two neighbours that reach from `start` to `end` of the word, or -1. */
  find(left: number, right: number, word: string, start: number, end: number): number;
  /** By merge: whole numbers, the least first, and the token it gives. */
  rank(merge: number): number;
  result(merge: number): number;
}

/** More than the length of any word; a rank and a place make one number below 2^53. */
const placeLimit = 2 ** 26;

/** Merges until no pair is left; the pieces of `word` are then those that begin at 0, at the end of that one, and so on. */
export function mergePairs(word: string, { ids, ends }: Pieces, table: PairTable): void {
  /** The piece before, by place. */
  const before: number[] = [];
  const queue = new PairQueue();
  const offer = (start: number): void => {
    const middle = ends[start] as number;
    if (middle >= word.length) return;
    const merge = table.find(ids[start] as number, ids[middle] as number, word, start, ends[middle] as number);
    if (merge >= 0) queue.push(table.rank(merge) * placeLimit + start, ends[middle] as number, merge);
  };
  for (let start = 0, last = -1; start < word.length; last = start, start = ends[start] as number) before[start] = last;
  for (let start = 0; start < word.length; start = ends[start] as number) offer(start);
  for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
    const start = top.key % placeLimit;
    const middle = ends[start] as number;
    // Both pieces are still those that were offered: neither has grown, and neither is part of another.
    if (middle >= word.length || ends[middle] !== top.end || before[middle] !== start) continue;
    if (table.find(ids[start] as number, ids[middle] as number, word, start, top.end) !== top.merge) continue;
    ids[start] = table.result(top.merge);
    ends[start] = top.end;
    before[middle] = -2;
    if (top.end < word.length) before[top.end] = start;
    offer(start);
    const last = before[start] as number;
    if (last >= 0) offer(last);
  }
}

interface Pair {
  readonly key: number;
  readonly end: number;
  readonly merge: number;
}

/** A heap with the least key on top. */
class PairQueue {
  readonly #keys: number[] = [];
  readonly #ends: number[] = [];
  readonly #merges: number[] = [];

  push(key: number, end: number, merge: number): void {
    let hole = this.#keys.length;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if ((this.#keys[parent] as number) <= key) break;
      this.#move(parent, hole);
      hole = parent;
    }
    this.#set(hole, key, end, merge);
  }

  pop(): Pair | undefined {
    if (this.#keys.length === 0) return undefined;
    const top = { key: this.#keys[0] as number, end: this.#ends[0] as number, merge: this.#merges[0] as number };
    const [key, end, merge] = [this.#keys.pop() as number, this.#ends.pop() as number, this.#merges.pop() as number];
    const length = this.#keys.length;
    if (length === 0) return top;
    let hole = 0;
    for (let child = 1; child < length; child = 2 * hole + 1) {
      if (child + 1 < length && (this.#keys[child + 1] as number) < (this.#keys[child] as number)) child++;
      if (key <= (this.#keys[child] as number)) break;
      this.#move(child, hole);
      hole = child;
    }
    this.#set(hole, key, end, merge);
    return top;
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#keys[from] as number, this.#ends[from] as number, this.#merges[from] as number);
  }

  #set(place: number, key: number, end: number, merge: number): void {
    this.#keys[place] = key;
    this.#ends[place] = end;
    this.#merges[place] = merge;
  }
}
