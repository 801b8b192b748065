/** Nothing of a text stays behind: not in the objects of the tokenizer library, not in the heap of the text process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { BPE, ByteLevelPreTokenizer, SplitPreTokenizer } from '@huggingface/tokenizers';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { Link, linkedStdio } from '../../../runtime/link/link.ts';
import { createTokenizer } from '../../../runtime/text/tokenizer.ts';
import { readVocabulary } from '../../../runtime/text/vocabulary.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../../gguf-file.ts';

const folder = createFolder();
afterAll(folder.remove);
afterEach(() => vi.restoreAllMocks());

const marker = 'zqxjvkw';
const control = '<|a_control_token|>';
const template = '{% for m in messages %}{{ m.content | trim }}<|a_control_token|>{% endfor %}';
const path = folder.write(ggufBytes(tokenizerPairs({ merges: ['z q'], control: [control], template })));

/** Whether a string that holds the marker can be reached from `root`. */
function holdsMarker(root: unknown): boolean {
  const seen = new Set<unknown>();
  const open = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === 'string' && value.includes(marker)) return true;
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof Map) open.push(...value.keys(), ...value.values());
    if (value instanceof Set) open.push(...value);
    for (const key of Reflect.ownKeys(value)) open.push(key, Reflect.getOwnPropertyDescriptor(value, key)?.value);
  }
  return false;
}

test('after a call the objects of the library hold nothing of the text', () => {
  using checkpoint = openCheckpoint(path);
  const tokenizer = createTokenizer(readVocabulary(checkpoint));
  const merge = vi.spyOn(BPE.prototype, 'encode');
  const split = vi.spyOn(SplitPreTokenizer.prototype, 'pre_tokenize');
  const bytes = vi.spyOn(ByteLevelPreTokenizer.prototype, 'pre_tokenize');
  const spies = [merge, split, bytes];
  expect(tokenizer.encode(`a ${marker} b`, { addSpecial: true, parseSpecial: true }).length).toBeGreaterThan(5);
  const { input, lastMatch, leftContext, rightContext, lastParen } = RegExp as unknown as Record<string, string>;
  expect([input, lastMatch, leftContext, rightContext, lastParen].join('')).toBe('');
  const objects = spies.flatMap((spy) => spy.mock.contexts as unknown[]);
  expect(objects.length).toBe(3);
  expect(objects.map(holdsMarker)).toEqual([false, false, false]);
  // The walk does find what the library keeps when nobody clears it.
  (objects[0] as BPE).encode([marker]);
  expect(holdsMarker(objects[0])).toBe(true);
});

test('after requests, also failed ones, the heap of the text process holds nothing of their texts', async () => {
  // The link at 3, and Node's channel for what only the probe understands.
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(new URL('./heap-probe.ts', import.meta.url))], {
    stdio: [...(linkedStdio as 'pipe'[]), 'ipc'],
  });
  const link = Link.toChild<object, Record<string, unknown>>(child);
  const backwards = (text: string) => [...text].reverse().join('');
  /** Sends a message and gives the next answer of this kind. */
  const ask = (message: object, kind: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const settle = (answer: Record<string, unknown>) => answer['kind'] === kind && resolve(answer);
      link.listen({ message: settle });
      child.once('message', settle).on('exit', () => reject(new Error('the text process ended')));
      if (kind === 'heap') child.send(message);
      else link.send(message);
    });
  try {
    await ask({ modelPath: path }, 'ready');
    await ask({ kind: 'text', text: `text ${marker} text`, addSpecial: true, parseSpecial: true }, 'ids');
    const messages = [
      { role: 'user', content: `chat ${marker} ${control}` },
      { role: marker, content: marker.repeat(3) },
    ];
    await ask({ kind: 'chat', messages }, 'ids');
    await ask({ kind: 'chat', messages: [{ role: 'user', content: { [marker]: marker } }] }, 'failed');
    await ask({ kind: 'text', text: 'another', addSpecial: true, parseSpecial: false }, 'ids');
    expect(await ask({ probe: backwards(marker), control: backwards('a_control_token') }, 'heap')).toEqual({ kind: 'heap', probe: false, control: true });
  } finally {
    child.kill('SIGKILL');
  }
});
