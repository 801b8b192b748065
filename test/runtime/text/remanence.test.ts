/** Nothing of a text stays behind: not in what the language keeps, not in the heap of the text process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { Link, linkedStdio } from '../../../runtime/link/link.ts';
import { createTokenizer } from '../../../runtime/text/tokenizer.ts';
import { readVocabulary } from '../../../runtime/text/vocabulary.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../../gguf-file.ts';

const folder = createFolder();
afterAll(folder.remove);

const marker = 'zqxjvkw';
const control = '<|a_control_token|>';
const template = '{% for m in messages %}{{ m.content + m.role | trim }}<|a_control_token|>{% endfor %}';
/** A model file with this kind of vocabulary. */
function path(kind: string): string {
  const pairs = tokenizerPairs({ merges: ['z q'], control: [control], template, extra: [['tokenizer.ggml.unknown_token_id', 'u32', 257]] });
  const scores = new Float32Array(258).fill(-1);
  return folder.write(
    ggufBytes([
      ...pairs.filter(([key]) => key !== 'tokenizer.ggml.model'),
      ['tokenizer.ggml.model', 'string', kind],
      ['tokenizer.ggml.scores', 'array', scores, 'f32'],
    ]),
  );
}

test('after a call the language holds no match of the text', () => {
  using checkpoint = openCheckpoint(path('gpt2'));
  const tokenizer = createTokenizer(readVocabulary(checkpoint));
  expect(tokenizer.encode(`a ${marker} b`, { addSpecial: true, parseSpecial: true }).length).toBeGreaterThan(5);
  const { input, lastMatch, leftContext, rightContext, lastParen } = RegExp as unknown as Record<string, string>;
  expect([input, lastMatch, leftContext, rightContext, lastParen].join('')).toBe('');
});

test.each(['gpt2', 'llama', 't5', 'bert', 'gemma4'])(
  'after requests, also failed ones, the heap of the text process holds nothing of their texts: %s',
  async (kind) => {
    // The link at 3, and Node's channel for what only the probe understands.
    const child: ChildProcess = spawn(process.execPath, [fileURLToPath(new URL('./heap-probe.ts', import.meta.url))], {
      stdio: [...(linkedStdio as 'pipe'[]), 'ipc'],
    });
    // Each question listens for its answer and for the end.
    child.setMaxListeners(40);
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
      await ask({ modelPath: path(kind) }, 'ready');
      await ask({ kind: 'text', text: `text ${marker} text`, addSpecial: true, parseSpecial: true }, 'ids');
      const messages = [
        { role: 'user', content: `chat ${marker} ${control}` },
        { role: marker, content: marker.repeat(3) },
      ];
      await ask({ kind: 'chat', variables: { messages, tools: null } }, 'ids');
      await ask({ kind: 'chat', variables: { messages: [{ role: marker, content: { [marker]: marker } }], tools: null } }, 'failed');
      const schema = JSON.stringify({
        required: [marker],
        properties: { [marker]: { $ref: `#/$defs/${marker}` } },
        $defs: { [marker]: { type: 'string', enum: [marker], pattern: marker } },
      });
      const look = (text: string) => ({ kind: 'answer', values: [{ schema, text }] });
      await ask({ kind: 'grammar', grammar: { kind: 'schema', source: new TextEncoder().encode(schema) } }, 'ids');
      await ask(look(`{"${marker}":"${marker}"}`), 'ids');
      for (const wrong of [`{"${marker}":"x${marker}"}`, `{"a":"${marker}"}`, `"${marker}`]) await ask(look(wrong), 'failed');
      await ask({ kind: 'text', text: 'another', addSpecial: true, parseSpecial: false }, 'ids');
      expect(await ask({ probe: backwards(marker), control: backwards('a_control_token') }, 'heap')).toEqual({ kind: 'heap', probe: false, control: true });
    } finally {
      child.kill('SIGKILL');
    }
  },
);
