/**
 * Owns the reading of JSON that comes bit by bit: one value handed on as it comes, and calls as objects {"name", "arguments"}.
 * Refuses nothing: what is no JSON ends where it can no longer be one, and what came of it stays.
 */
import type { Reading, Source } from './source.ts';
import type { PartWriter } from './writer.ts';

const space = /\s/;

/** Hands one value to `take` as it comes; gives false where the text ended inside of it. */
export function* readValue(source: Source, take: (text: string) => void): Reading<boolean> {
  const first = yield* source.peek();
  if (first === '"') return yield* readText(source, take);
  if (first !== '{' && first !== '[') {
    take(yield* source.readWhile(/[\w.+-]/));
    return true;
  }
  for (let depth = 0; ; ) {
    const mark = yield* source.readUntil(['"', '{', '[', '}', ']'], take);
    if (mark === undefined) return false;
    take(mark);
    if (mark === '"' && !(yield* readRest(source, take))) return false;
    if (mark === '{' || mark === '[') depth++;
    if ((mark === '}' || mark === ']') && --depth === 0) return true;
  }
}

function* readText(source: Source, take: (text: string) => void): Reading<boolean> {
  take(yield* source.readSome(1));
  return yield* readRest(source, take);
}

/** The rest of a text, its quotation mark included. */
function* readRest(source: Source, take: (text: string) => void): Reading<boolean> {
  for (;;) {
    const mark = yield* source.readUntil(['\\', '"'], take);
    if (mark === undefined) return false;
    take(mark);
    if (mark === '"') return true;
    take(yield* source.readSome(1));
  }
}

/** One value as a whole; undefined where the text ended inside of it, or it is no JSON. */
function* readWhole(source: Source): Reading<string | undefined> {
  let text = '';
  const isWhole = yield* readValue(source, (part) => {
    text += part;
  });
  return isWhole ? text : undefined;
}

function parse(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * A call as an object: its name, and its arguments as they come (behind the name; else at the end). What turns out to be no call is given back as it was
 * written; undefined where it was one.
 */
function* readCallObject(source: Source, writer: PartWriter, needsArguments: boolean): Reading<string | undefined> {
  const state = { raw: '', name: undefined as string | undefined, id: undefined as string | undefined, held: undefined as string | undefined, isOpen: false };
  const keep = (text: string): void => {
    state.raw += text;
  };
  if (!(yield* source.skip('{'))) return '';
  keep('{');
  for (;;) {
    keep(yield* source.readWhile(/[\s,]/));
    const next = yield* source.peek();
    if (next !== '"') {
      if (next === '}') keep(yield* source.readSome(1));
      break;
    }
    const written = yield* readWhole(source);
    keep((written ?? '') + (yield* source.readWhile(/[\s:]/)));
    if (!(yield* readMember(source, writer, parse(written), state, keep))) break;
  }
  if (state.isOpen) return undefined;
  if (state.name === undefined || (needsArguments && state.held === undefined)) return state.raw;
  writer.call(state.name, state.id);
  writer.arguments(state.held ?? '{}');
  return undefined;
}

interface CallState {
  name: string | undefined;
  id: string | undefined;
  /** Arguments that came before the name. */
  held: string | undefined;
  /** Arguments were handed on. */
  isOpen: boolean;
}

function* readMember(source: Source, writer: PartWriter, key: unknown, state: CallState, keep: (text: string) => void): Reading<boolean> {
  const isArguments = key === 'arguments' || key === 'parameters';
  if (isArguments && state.name !== undefined && !state.isOpen && (yield* source.peek()) === '{') {
    writer.call(state.name, state.id);
    state.isOpen = true;
    return yield* readValue(source, writer.arguments);
  }
  const written = yield* readWhole(source);
  keep(written ?? '');
  const value = parse(written);
  if (key === 'name' && typeof value === 'string') state.name = value;
  if (key === 'id' && typeof value === 'string') state.id = value;
  // Some models write the arguments as a text of JSON.
  if (isArguments) state.held = typeof value === 'string' ? value : written;
  return written !== undefined;
}

/** Calls one after the other, or as a list; gives what was none of them. `needsArguments`: an object with a name alone is none. */
export function* readCalls(source: Source, writer: PartWriter, needsArguments = false): Reading<string> {
  yield* source.readWhile(space);
  yield* source.skip('[');
  for (;;) {
    const gap = yield* source.readWhile(/[\s,;]/);
    if ((yield* source.peek()) !== '{') {
      yield* source.skip(']');
      return gap.trim();
    }
    const other = yield* readCallObject(source, writer, needsArguments);
    if (other !== undefined) return other;
  }
}
