/**
 * Owns the vocabulary as the masks want it: tokens sorted by their bytes, as two tries that are walked from front to back. Plain tokens
 * are whole characters without quote, backslash and control: the inside of a string takes them all, or those up to a length.
 * Tokens that are names, and empty ones, are in neither: no text has them.
 */

/** Nodes in the order of a walk: a child follows its parent, and `skip` is behind all that follows from a node. */
export interface Trie {
  readonly bytes: Uint8Array;
  readonly depths: Uint16Array;
  readonly skip: Uint32Array;
  /** The tokens that end at node i are [tokens[i], tokens[i + 1]) of `ids`; up to tokens[skip[i]] are those that begin with it. */
  readonly tokens: Uint32Array;
  readonly ids: Uint32Array;
}

/** Bytes of tokens; runtime/text has them so (Pieces). */
export interface TokenBytes {
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
  /** By id, 1 where the bytes are a name. */
  readonly names: Uint8Array;
  /** Ids of tokens that a text is cut at before anything else. */
  readonly added?: Uint32Array;
}

export interface Vocabulary extends TokenBytes {
  readonly size: number;
  readonly plain: Trie;
  readonly special: Trie;
  /** By id, characters of plain tokens. */
  readonly lengths: Uint16Array;
}

export function createVocabulary(pieces: TokenBytes): Vocabulary {
  const { offsets, bytes, names } = pieces;
  const size = names.length;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const spelled = Array.from({ length: size }, (_, id) => text.slice(offsets[id], offsets[id + 1]));
  const lengths = new Uint16Array(size);
  const [plain, special]: [number[], number[]] = [[], []];
  for (const [id, token] of spelled.entries()) {
    if (token === '' || names[id] === 1) continue;
    const length = countCharacters(bytes.subarray(offsets[id], offsets[id + 1]));
    lengths[id] = length;
    (length > 0 ? plain : special).push(id);
  }
  return { ...pieces, size, lengths, plain: createTrie(plain, spelled), special: createTrie(special, spelled) };
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** 0 for tokens that are not plain. */
function countCharacters(bytes: Uint8Array): number {
  let isAscii = true;
  for (const byte of bytes) {
    if (byte < 0x20 || byte === 0x22 || byte === 0x5c) return 0;
    isAscii &&= byte < 0x80;
  }
  if (isAscii) return bytes.length;
  try {
    return Array.from(decoder.decode(bytes)).length;
  } catch {
    return 0;
  }
}

function createTrie(ids: number[], spelled: readonly string[]): Trie {
  ids.sort((a, b) => (spelled[a]! < spelled[b]! ? -1 : spelled[a]! > spelled[b]! ? 1 : 0));
  const count = countNodes(ids, spelled);
  const trie = {
    bytes: new Uint8Array(count),
    depths: new Uint16Array(count),
    skip: new Uint32Array(count),
    tokens: new Uint32Array(count + 1),
    ids: Uint32Array.from(ids),
  };
  const path: number[] = [];
  let [node, previous] = [0, ''];
  for (const [i, id] of ids.entries()) {
    const token = spelled[id]!;
    const shared = countShared(previous, token);
    while (path.length > shared) trie.skip[path.pop()!] = node;
    for (let depth = shared; depth < token.length; depth++) {
      trie.bytes[node] = token.charCodeAt(depth);
      trie.depths[node] = depth;
      trie.tokens[node] = i;
      path.push(node++);
    }
    previous = token;
  }
  for (const open of path) trie.skip[open] = node;
  trie.tokens[node] = ids.length;
  return trie;
}

function countNodes(ids: readonly number[], spelled: readonly string[]): number {
  let [count, previous] = [0, ''];
  for (const id of ids) {
    count += spelled[id]!.length - countShared(previous, spelled[id]!);
    previous = spelled[id]!;
  }
  return count;
}

function countShared(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i;
}
