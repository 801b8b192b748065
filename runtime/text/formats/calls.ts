/**
 * Owns the formats of tool calls that are written inside of an answer: for each what begins a call, and how it is read.
 */
import { readCalls, readValue } from './json.ts';
import type { Reading, Source } from './source.ts';
import type { CallFormat, IsTextArgument } from './types.ts';
import type { PartWriter } from './writer.ts';

export interface CallReader {
  /** What begins calls. */
  readonly start: string;
  /** Reads what follows the mark, its end included. */
  read(source: Source, writer: PartWriter, isText: IsTextArgument): Reading<void>;
}

const ignore = (): void => undefined;

/** JSON between marks; what is no call is content. */
const jsonBetween = (start: string, end: string): CallReader => ({
  start,
  *read(source, writer) {
    const before = writer.callCount;
    const other = yield* readCalls(source, writer);
    // What a broken call goes on with is nobody's.
    const isNone = writer.callCount === before;
    if (isNone) writer.content(start + other);
    yield* source.readUntil([end], isNone ? writer.content : ignore);
  },
});

function* readAll(source: Source, marks: readonly string[]): Reading<{ readonly text: string; readonly mark: string | undefined }> {
  let text = '';
  const mark = yield* source.readUntil(marks, (part) => {
    text += part;
  });
  return { text, mark };
}

/** Words that Python and JSON have for the same. */
const words: ReadonlyMap<string, string> = new Map([
  ['True', 'true'],
  ['False', 'false'],
  ['None', 'null'],
]);

/** An argument without its type as JSON: by the tool's schema, else what is JSON is that, and all else is text. */
function toJson(value: string, isText: boolean | undefined): string {
  const word = words.get(value.trim()) ?? value;
  if (isText === true) return JSON.stringify(value);
  try {
    JSON.parse(word);
    // As it is: a number may have more digits than a float.
    return word.trim();
  } catch {
    return JSON.stringify(value);
  }
}

/** Writes arguments one by one as members of one object. */
function* readMembers(
  writer: PartWriter,
  name: string,
  next: () => Reading<readonly [key: string, value: string, isText?: boolean] | undefined>,
  isText: IsTextArgument,
): Reading<void> {
  writer.call(name);
  let gap = '{';
  for (let member = yield* next(); member !== undefined; member = yield* next()) {
    writer.arguments(`${gap}${JSON.stringify(member[0])}: ${toJson(member[1], member[2] ?? isText(name, member[0]))}`);
    gap = ', ';
  }
  writer.arguments(gap === '{' ? '{}' : '}');
}

/** An argument up to its mark, which a text within JSON may spell. */
function* readArgument(source: Source, end: string, isText: boolean | undefined): Reading<string> {
  let text = isText === true ? '' : yield* source.readWhile(/\s/);
  if (isText !== true && /^["[{]/.test(yield* source.peek()))
    yield* readValue(source, (part) => {
      text += part;
    });
  return text + (yield* readAll(source, [end])).text;
}

const withoutBreaks = (value: string): string => value.replace(/^\n/, '').replace(/\n$/, '');

const parameterTags: CallReader['read'] = function* (source, writer, isText) {
  const head = yield* readAll(source, ['<function=', '</tool_call>']);
  if (head.mark !== '<function=') return writer.content(head.text);
  const name = (yield* readAll(source, ['>'])).text.trim();
  yield* readMembers(
    writer,
    name,
    function* () {
      const { mark } = yield* readAll(source, ['<parameter=', '</function>', '</tool_call>']);
      if (mark === '</function>') yield* readAll(source, ['</tool_call>']);
      if (mark !== '<parameter=') return undefined;
      const key = (yield* readAll(source, ['>'])).text.trim();
      return [key, withoutBreaks(yield* readArgument(source, '</parameter>', isText(name, key)))];
    },
    isText,
  );
};

const argumentTags: CallReader['read'] = function* (source, writer, isText) {
  const head = yield* readAll(source, ['<arg_key>', '</tool_call>']);
  const name = head.text.trim();
  let mark = head.mark;
  yield* readMembers(
    writer,
    name,
    function* () {
      if (mark !== '<arg_key>') return undefined;
      const key = (yield* readAll(source, ['</arg_key>'])).text.trim();
      yield* readAll(source, ['<arg_value>']);
      const value = yield* readArgument(source, '</arg_value>', isText(name, key));
      ({ mark } = yield* readAll(source, ['<arg_key>', '</tool_call>']));
      return [key, value];
    },
    isText,
  );
};

const bracketTags: CallReader['read'] = function* (source, writer) {
  yield* source.readWhile(/\s/);
  const next = yield* source.peek();
  if (next === '[' || next === '{') {
    writer.content(yield* readCalls(source, writer));
    return;
  }
  const head = yield* readAll(source, ['[CALL_ID]', '[ARGS]']);
  const id = head.mark === '[CALL_ID]' ? (yield* readAll(source, ['[ARGS]'])).text.trim() : undefined;
  if (head.mark === undefined) return writer.content(head.text);
  writer.call(head.text.trim(), id);
  yield* source.readWhile(/\s/);
  yield* readValue(source, writer.arguments);
};

const [sectionEnd, callEnd] = ['<｜tool▁calls▁end｜>', '<｜tool▁call▁end｜>'];
const sectionTags: CallReader['read'] = function* (source, writer) {
  for (;;) {
    const { mark } = yield* readAll(source, ['<｜tool▁call▁begin｜>', sectionEnd]);
    if (mark !== '<｜tool▁call▁begin｜>') return;
    const head = (yield* readAll(source, ['<｜tool▁sep｜>'])).text.trim();
    yield* source.readWhile(/\s/);
    const isBare = (yield* source.peek()) === '{';
    // Older: a kind instead of the name, which stands on a line of its own before a block of code with the arguments.
    const older = isBare ? undefined : yield* readAll(source, ['```', callEnd]);
    if (older?.mark === '```') {
      yield* source.skip('json');
      yield* source.readWhile(/\s/);
    }
    writer.call(older?.mark === '```' ? older.text.trim() : head);
    if (older === undefined || older.mark === '```') {
      // Not up to the mark: a text in them may spell it.
      yield* readValue(source, writer.arguments);
      yield* readAll(source, [callEnd]);
    } else writer.arguments(older.text.trim());
  }
};

const invokeEnd = '</｜DSML｜invoke>';
const invokeTags: CallReader['read'] = function* (source, writer, isText) {
  for (;;) {
    const { mark } = yield* readAll(source, ['<｜DSML｜invoke name="', '</｜DSML｜tool_calls>']);
    if (mark !== '<｜DSML｜invoke name="') return;
    const name = (yield* readAll(source, ['">'])).text;
    yield* readMembers(
      writer,
      name,
      function* () {
        const next = yield* readAll(source, ['<｜DSML｜parameter name="', invokeEnd]);
        if (next.mark === undefined || next.mark === invokeEnd) return undefined;
        const key = (yield* readAll(source, ['" string="'])).text;
        const kind = (yield* readAll(source, ['">'])).text;
        const isText = kind === 'true';
        return [key, yield* readArgument(source, '</｜DSML｜parameter>', isText), isText];
      },
      isText,
    );
  }
};

const quote = '<|"|>';
const braceCalls: CallReader['read'] = function* (source, writer) {
  const text = yield* readBraces(source);
  const found = /^\s*call:([^{]*)(\{[\s\S]*)$/.exec(text);
  if (found === null) return writer.content(text);
  writer.call((found[1] as string).trim());
  writer.arguments(bracesToJson((found[2] as string).trim()));
};

/** Up to the end of a call, which a text within it may spell. */
function* readBraces(source: Source): Reading<string> {
  let text = '';
  for (;;) {
    const part = yield* readAll(source, [quote, '<tool_call|>']);
    text += part.text;
    if (part.mark !== quote) return text;
    text += quote + (yield* readAll(source, [quote])).text + quote;
  }
}

/** Gemma's objects as JSON: keys get quotation marks, texts theirs. */
function bracesToJson(text: string): string {
  return text
    .split(quote)
    .map((part, i) =>
      i % 2 === 1 ? JSON.stringify(part) : part.replace(/([{,]\s*)([^\s{}[\],:"][^{}[\],:"]*?)\s*:/g, (_, before, key) => `${before}${JSON.stringify(key)}:`),
    )
    .join('');
}

export const callReaders: Readonly<Partial<Record<CallFormat, CallReader>>> = {
  'json-tags': jsonBetween('<tool_call>', '</tool_call>'),
  'parameter-tags': { start: '<tool_call>', read: parameterTags },
  'argument-tags': { start: '<tool_call>', read: argumentTags },
  'bracket-tags': { start: '[TOOL_CALLS]', read: bracketTags },
  'json-list': jsonBetween('<|tool_call|>', '<|/tool_call|>'),
  'brace-calls': { start: '<|tool_call>', read: braceCalls },
  'section-tags': { start: '<｜tool▁calls▁begin｜>', read: sectionTags },
  'invoke-tags': { start: '<｜DSML｜tool_calls>', read: invokeTags },
};
