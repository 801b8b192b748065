/**
 * Owns the answer's way back: parts of a text in, the same text with the originals out, however it was cut into parts. Holds back no
 * more than what may still become a text of the mapping. Within JSON, originals are escaped and stand where JSON lets them. Refuses
 * to guess: what is not in the mapping stays as it is.
 */
import type { Mapping, Pair } from '../mapping/mapping.ts';
import { canBegin, canEnd, isFieldSign, pluralLength } from './borders.ts';
import { JsonState } from './json-state.ts';
import { createNode, foldUnit, insert, type Node } from './trie.ts';

/** How an answer is read. */
export interface RestoreOptions {
  /** `json`: the text is one JSON value, as arguments of tools and structured outputs are; default `text`. */
  readonly format?: 'text' | 'json';
}

/** The way back of one answer, part by part. */
export interface Restorer {
  /** Takes the next part and gives what is certain by now. */
  push(part: string): string;
  /** Gives the rest; nothing may be pushed after it. */
  end(): string;
}

/** Of what the mapping holds, and of what it will hold when the next part comes. */
export function createRestorer(mapping: Mapping, options: RestoreOptions = {}): Restorer {
  return new StreamRestorer(mapping, options.format === 'json');
}

/** The whole of a text at once. */
export function restore(text: string, mapping: Mapping, options: RestoreOptions = {}): string {
  const restorer = createRestorer(mapping, options);
  return restorer.push(text) + restorer.end();
}

interface Match {
  readonly end: number;
  readonly text: string;
}

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

class StreamRestorer implements Restorer {
  readonly #mapping: Mapping;
  readonly #root: Node = createNode();
  /** Pairs of the mapping that are in the tree. */
  #known = 0;
  readonly #json: JsonState | undefined;
  #buffer = '';
  /** The two units before the buffer, as a reader sees them. */
  #before = -1;
  #beforeThat = -1;
  /** Units since the last sign between fields. */
  #sinceSign = 9;

  constructor(mapping: Mapping, isJson: boolean) {
    this.#mapping = mapping;
    this.#json = isJson ? new JsonState() : undefined;
  }

  push(part: string): string {
    this.#buffer += part;
    return this.#run(false);
  }

  end(): string {
    return this.#run(true);
  }

  #run(isLast: boolean): string {
    this.#learn();
    const buffer = this.#buffer;
    let [out, copied, at] = ['', 0, 0];
    while (at < buffer.length) {
      const match = this.#canBegin(buffer.charCodeAt(at)) ? this.#match(buffer, at, isLast) : undefined;
      if (match === 'more') break;
      if (match === undefined) {
        this.#pass(buffer.charCodeAt(at));
        at += 1;
        continue;
      }
      out += buffer.slice(copied, at) + match.text;
      for (; at < match.end; at += 1) this.#pass(buffer.charCodeAt(at));
      copied = at;
    }
    this.#buffer = buffer.slice(at);
    return out + buffer.slice(copied, at);
  }

  /** What was recorded since the last part. */
  #learn(): void {
    const { pairs } = this.#mapping;
    for (; this.#known < pairs.length; this.#known += 1) {
      const pair = pairs[this.#known] as Pair;
      insert(this.#root, pair.text, pair);
      if (isTag(pair.text)) insert(this.#root, pair.text.slice(1, -1), pair);
    }
  }

  #canBegin(unit: number): boolean {
    return this.#root.next.has(foldUnit(unit)) && this.#json?.isInEscape !== true && canBegin(unit, this.#before, this.#beforeThat);
  }

  #pass(unit: number): void {
    this.#sinceSign = isFieldSign(unit) ? 0 : this.#sinceSign + 1;
    this.#beforeThat = this.#before;
    // The two signs of a field's code in NCPDP stand right before its value.
    this.#before = this.#sinceSign <= 2 ? 0x1c : (this.#json?.take(unit) ?? unit);
  }

  /** The longest text of the mapping that begins there. */
  #match(buffer: string, start: number, isLast: boolean): Match | 'more' | undefined {
    let node = this.#root;
    let best: Match | undefined;
    for (let end = start; ; ) {
      if (end === buffer.length) return isLast || node.next.size === 0 ? best : 'more';
      const next = node.next.get(foldUnit(buffer.charCodeAt(end)));
      if (next === undefined) return best;
      node = next;
      end += 1;
      const pair = choosePair(node, buffer.slice(start, end));
      if (pair === undefined) continue;
      const verdict = canEnd(buffer, end, pair.isName, isLast);
      if (verdict === 'more') return 'more';
      if (verdict === 'yes') best = this.#replace(buffer, start, end, pair, isLast) ?? best;
    }
  }

  /** undefined: it cannot stand there. */
  #replace(buffer: string, start: number, end: number, pair: Pair, isLast: boolean): Match | undefined {
    const original = this.#mapping.originalOf(pair);
    if (original === undefined) return undefined;
    const found = buffer.slice(start, end);
    const value = isTag(pair.text) || pair.text === found ? original : adaptCase(original, found, pair.text);
    const plural = pair.isName ? (pluralLength(buffer, end, isLast) ?? 0) : 0;
    const text = plural === 0 ? value : `${value}${/(?:[sxz]|[cs]h)$/i.test(value) ? 'es' : 's'}`;
    const written = this.#json === undefined ? text : writeJson(text, found, this.#json.isInString);
    return written === undefined ? undefined : { end: end + plural, text: written };
  }
}

/** Capitals where the answer has them; where only the note had them (`SMITH`), the beginning of each word keeps its own. */
function adaptCase(original: string, found: string, text: string): string {
  if (found === found.toUpperCase()) return original.toUpperCase();
  return text === text.toUpperCase() ? original.replace(/\p{L}[\p{L}\p{M}]*/gu, (word) => word.slice(0, 1) + word.slice(1).toLowerCase()) : original;
}

/** Within a string anything goes once it is escaped; elsewhere only a number, in place of a number or of a whole string. */
function writeJson(text: string, found: string, isInString: boolean): string | undefined {
  if (isInString) return found.startsWith('"') ? undefined : JSON.stringify(text).slice(1, -1);
  return jsonNumber.test(text) && (found.startsWith('"') || jsonNumber.test(found)) ? text : undefined;
}

/** Exactly this text, or one in other case; a tag that lost its brackets has no other case. */
function choosePair({ pairs }: Node, found: string): Pair | undefined {
  if (pairs.length === 0) return undefined;
  return pairs.find(({ text }) => text === found || text === `[${found}]`) ?? pairs.find(({ text }) => !isTag(text) || found.startsWith('['));
}

function isTag(text: string): boolean {
  return text.startsWith('[');
}
