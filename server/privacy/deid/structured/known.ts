/**
 * Owns the search for values of fields in the prose around them: a name in a message's head is that name in its notes. Refuses words
 * that are also no names, and numbers too short to be anybody's.
 */
import { readName } from '../actions/name.ts';
import { canBegin, canEnd } from '../restore/borders.ts';
import { createNode, foldUnit, insert, type Node } from '../restore/trie.ts';
import type { Category, Span } from '../types.ts';

/** Names that are words: certain only beside another name. */
const common = new Set(
  'will may june april august mark grace hope faith joy rose dawn summer art bill rich young long white black brown green gray may day rice price case wood stone little best short sharp hand foot bone head hart ward bed will sun son man king good'.split(
    ' ',
  ),
);
const fewestLetters = 3;
const fewestSigns = 5;
/** Of what is searched; the tree of the search takes room for every sign, and is walked again from every place of a text. */
const mostSigns = 128;
const searched: ReadonlySet<Category> = new Set([
  'NAME',
  'PHONE',
  'FAX',
  'EMAIL',
  'SSN',
  'MRN',
  'HEALTH_PLAN',
  'ACCOUNT',
  'LICENSE',
  'OTHER_ID',
  'DEVICE',
  'VEHICLE',
]);

/** Where values stand in a text again. */
export function findKnown(text: string, values: readonly { readonly type: Category; readonly value: string }[]): Span[] {
  const root = createNode();
  const types = new Map<string, Category>();
  for (const { type, value } of values)
    for (const word of wordsOf(type, value)) {
      types.set(word.toLowerCase(), type);
      insert(root, word, { text: word, value: 0, isName: type === 'NAME' });
    }
  return root.next.size === 0 ? [] : search(text, root, types);
}

function wordsOf(type: Category, value: string): string[] {
  if (!searched.has(type)) return [];
  if (type !== 'NAME') return value.replace(/[^\p{L}\p{N}]/gu, '').length >= fewestSigns && /\d/.test(value) && value.length <= mostSigns ? [value] : [];
  return readName(value).flatMap(({ text, kind }) =>
    (kind === 'given' || kind === 'family') && text.length >= fewestLetters && text.length <= mostSigns && !common.has(text.toLowerCase()) ? [text] : [],
  );
}

function search(text: string, root: Node, types: ReadonlyMap<string, Category>): Span[] {
  const found: Span[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const end = canBegin(text.charCodeAt(at), at > 0 ? text.charCodeAt(at - 1) : -1, at > 1 ? text.charCodeAt(at - 2) : -1) ? longestFrom(text, at, root) : at;
    if (end === at) continue;
    const value = text.slice(at, end);
    const type = types.get(value.toLowerCase()) ?? 'OTHER_ID';
    // A name begins with a capital, wherever it stands.
    if (type !== 'NAME' || value[0] !== value[0]?.toLowerCase()) found.push({ start: at, end, type });
    at = end - 1;
  }
  return found;
}

function longestFrom(text: string, start: number, root: Node): number {
  let best = start;
  let node: Node | undefined = root;
  for (let at = start; at < text.length; at += 1) {
    node = node.next.get(foldUnit(text.charCodeAt(at)));
    if (node === undefined) return best;
    const [pair] = node.pairs;
    if (pair !== undefined && canEnd(text, at + 1, pair.isName, true) === 'yes') best = at + 1;
  }
  return best;
}
