/**
 * Owns the strict reading of JSON that others wrote: UTF-8, no key twice in an object, bounded depth. Refuses with one
 * sentence that quotes nothing of the file.
 */
import { SiteError } from './errors.ts';

const depthLimit = 16;
/** One at a time, so that no text takes more than linear time or a deep stack. */
const token = /\\.|["{}[\]:]/gs;

/** Throws SiteError; `name` is how the sentence calls the file. */
export function readStrictJson(bytes: Uint8Array, name: string): unknown {
  const refuse = (found: string): SiteError => new SiteError(`${name} cannot be read: expected JSON, found ${found}.`);
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refuse('bytes that are no UTF-8');
  }
  try {
    value = JSON.parse(text);
  } catch {
    // V8's message quotes the text.
    throw refuse(text.trim() === '' ? 'nothing' : 'something else, or a file that was cut');
  }
  const flaw = findFlaw(text);
  if (flaw !== undefined) throw refuse(flaw);
  return value;
}

/** Over the tokens of valid JSON. */
function findFlaw(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let isString = false;
  let start = 0;
  let last = '';
  for (const { 0: found, index } of text.matchAll(token)) {
    if (isString && found !== '"') continue;
    if (found === '"') {
      if (isString) last = text.slice(start, index + 1);
      start = index;
      isString = !isString;
    } else if (found === '{' || found === '[') {
      open.push(found === '{' ? new Set() : undefined);
      if (open.length > depthLimit) return `more than ${depthLimit} levels`;
    } else if (found === '}' || found === ']') open.pop();
    else if (found === ':') {
      const key: string = JSON.parse(last);
      if (open.at(-1)?.has(key)) return 'a field that stands there twice';
      // Schemas pass over it without a word.
      if (key === '__proto__') return 'a field of a name that is not permitted';
      open.at(-1)?.add(key);
    }
  }
  return undefined;
}
