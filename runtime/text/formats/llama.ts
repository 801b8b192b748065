/**
 * Owns Llama 3's calls: an answer that is JSON from its first character on, or begins with <|python_tag|>, with JSON, name.call(key="value") or code behind.
 */
import { readCalls } from './json.ts';
import type { Reading, Source } from './source.ts';
import type { PartWriter } from './writer.ts';

export const pythonTag = '<|python_tag|>';

export function* readLlamaAnswer(source: Source, writer: PartWriter): Reading<void> {
  const spaces = yield* source.readWhile(/\s/);
  const isTagged = yield* source.skip(pythonTag);
  if (isTagged) yield* source.readWhile(/\s/);
  if ((yield* source.peek()) === '{') {
    const before = writer.callCount;
    const other = yield* readCalls(source, writer, true);
    writer.content(writer.callCount === before ? spaces + other : other);
    yield* source.readUntil([pythonTag], writer.content);
  } else if (isTagged) yield* readCode(source, writer);
  else {
    writer.content(spaces);
    if ((yield* source.readUntil([pythonTag], writer.content)) !== undefined) yield* readCode(source, writer);
  }
}

function* readCode(source: Source, writer: PartWriter): Reading<void> {
  let code = '';
  yield* source.readUntil([pythonTag], (part) => {
    code += part;
  });
  const found = /^([\w.]+)\.call\(([\s\S]*)\)$/.exec(code.trim());
  if (found === null) {
    writer.call('python');
    writer.arguments(JSON.stringify({ code }));
    return;
  }
  writer.call(found[1] as string);
  const members = (found[2] as string).matchAll(/(\w+)\s*=\s*("(?:[^"\\]|\\.)*"|[^,\s]+)/g);
  writer.arguments(`{${Array.from(members, ([, key, value]) => `${JSON.stringify(key)}: ${value}`).join(', ')}}`);
}
