/** Nothing of a text stays behind: not in what the language keeps, not in the heap of the text process. */
import { fork } from 'node:child_process';
import { afterAll, expect, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { createTokenizer } from '../../../runtime/text/tokenizer.ts';
import { readVocabulary } from '../../../runtime/text/vocabulary.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../../gguf-file.ts';

const folder = createFolder();
afterAll(folder.remove);

const marker = 'zqxjvkw';
const control = '<|a_control_token|>';
const template = '{% for m in messages %}{{ m.content | trim }}<|a_control_token|>{% endfor %}';
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
    const child = fork(new URL('./heap-probe.ts', import.meta.url), [], { serialization: 'advanced', execArgv: [] });
    const backwards = (text: string) => [...text].reverse().join('');
    /** Sends a message and gives the next answer of this kind. */
    const ask = (message: object, kind: string) =>
      new Promise<Record<string, unknown>>((resolve, reject) => {
        const onMessage = (answer: Record<string, unknown>) => {
          if (answer['kind'] !== kind) return;
          child.off('message', onMessage);
          resolve(answer);
        };
        child.on('message', onMessage).on('exit', () => reject(new Error('the text process ended')));
        child.send(message);
      });
    try {
      await ask({ modelPath: path(kind) }, 'ready');
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
  },
);
