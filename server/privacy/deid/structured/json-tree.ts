/**
 * Owns a reader of JSON that keeps places: a tree with offsets, read once from left to right, also where the text is cut off or goes
 * on as something else. Refuses nesting beyond a depth: there the tree ends, and what follows is read as if it began anew.
 */
export interface JsonNode {
  readonly kind: 'object' | 'array' | 'string' | 'number' | 'word';
  readonly start: number;
  /** Exclusive; of strings with the quotes. */
  end: number;
  readonly members: JsonMember[];
  /** Of an object: the first member of each key. */
  readonly byKey: Map<string, JsonNode>;
}

export interface JsonMember {
  /** As written, without quotes; empty within arrays. */
  readonly key: string;
  readonly node: JsonNode;
}

export interface JsonTree {
  readonly root: JsonNode;
  /** Where the next thing begins: behind the value, or where it went wrong. */
  readonly end: number;
  /** Whether there is a key in it: prose has brackets too. */
  readonly hasKeys: boolean;
}

const mostDepth = 256;
/** Of values without any; nothing is ever added to them. */
const [noMembers, noKeys] = [[] as JsonMember[], new Map<string, JsonNode>()];

/** Reads from an opening bracket on. */
export function readJson(text: string, start: number): JsonTree {
  return new JsonReader(text, start).read();
}

class JsonReader {
  readonly #text: string;
  readonly #open: JsonNode[] = [];
  #at: number;
  #hasKeys = false;

  constructor(text: string, start: number) {
    this.#text = text;
    this.#at = start;
  }

  read(): JsonTree {
    const root = this.#enter();
    while (this.#open.length > 0 && this.#step());
    // Cut off or broken: what is open ends here.
    for (const node of this.#open) node.end = this.#at;
    return { root, end: this.#at, hasKeys: this.#hasKeys };
  }

  /** The next bracket, member or comma of the innermost open value; false where it goes wrong. */
  #step(): boolean {
    const node = this.#open.at(-1) as JsonNode;
    this.#skipSpace();
    const sign = this.#text[this.#at];
    if (sign === (node.kind === 'object' ? '}' : ']')) {
      this.#at += 1;
      node.end = this.#at;
      this.#open.pop();
      return true;
    }
    if (sign === ',' && node.members.length > 0) {
      this.#at += 1;
      return true;
    }
    const key = node.kind === 'object' ? this.#readKey() : '';
    return key !== undefined && this.#readValue(node, key);
  }

  #readKey(): string | undefined {
    const start = this.#at;
    if (this.#text[start] !== '"' || !this.#passString()) return undefined;
    const key = this.#text.slice(start + 1, this.#at - 1);
    this.#skipSpace();
    if (this.#text[this.#at] !== ':') {
      this.#at = start;
      return undefined;
    }
    this.#at += 1;
    this.#hasKeys = true;
    this.#skipSpace();
    return key;
  }

  #readValue(parent: JsonNode, key: string): boolean {
    const sign = this.#text[this.#at] ?? '';
    if (sign === '{' || sign === '[') {
      if (this.#open.length >= mostDepth) return false;
      addMember(parent, key, this.#enter());
      return true;
    }
    const start = this.#at;
    const kind = sign === '"' ? 'string' : /[-\d]/.test(sign) ? 'number' : 'word';
    if (!(kind === 'string' ? this.#passString() : this.#passWord())) return false;
    addMember(parent, key, { kind, start, end: this.#at, members: noMembers, byKey: noKeys });
    return true;
  }

  #enter(): JsonNode {
    const kind = this.#text[this.#at] === '{' ? 'object' : 'array';
    const node: JsonNode = { kind, start: this.#at, end: this.#at + 1, members: [], byKey: kind === 'object' ? new Map() : noKeys };
    this.#open.push(node);
    this.#at += 1;
    return node;
  }

  /** Strings end on their line; one that does not is prose. The place stays where it was then. */
  #passString(): boolean {
    for (let at = this.#at + 1; at < this.#text.length; at += 1) {
      const unit = this.#text.charCodeAt(at);
      if (unit === 0x5c) at += 1;
      else if (unit === 0x0a) return false;
      else if (unit === 0x22) {
        this.#at = at + 1;
        return true;
      }
    }
    return false;
  }

  #passWord(): boolean {
    const pattern = /-?\d[\d.eE+-]*|true|false|null/y;
    pattern.lastIndex = this.#at;
    const [found = ''] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    return found !== '';
  }

  #skipSpace(): void {
    while (/[\s]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }
}

function addMember(parent: JsonNode, key: string, node: JsonNode): void {
  parent.members.push({ key, node });
  if (parent.kind === 'object' && !parent.byKey.has(key)) parent.byKey.set(key, node);
}
