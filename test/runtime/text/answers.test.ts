/** Token ids of an answer in parts: marks that are control tokens, marks that are text, and what the prompt has begun. */
import { afterAll, describe, expect, test } from 'vitest';
import { compileGrammar } from '../../../runtime/grammar/grammars.ts';
import { createVocabulary, Masks, Matcher } from '../../../runtime/grammar/index.ts';
import { createAnswerDecoder, createAnswerGrammar } from '../../../runtime/text/answers.ts';
import type { AnswerFormat, AnswerPart } from '../../../runtime/text/formats/types.ts';
import { openText } from '../../../runtime/text/index.ts';
import { createPieces } from '../../../runtime/text/pieces.ts';
import type { AnswerOptions } from '../../../runtime/text/types.ts';
import type { TokenId } from '../../../runtime/types.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../../gguf-file.ts';

const folder = createFolder();
afterAll(folder.remove);

const control = ['[TOOL_CALLS]', '[ARGS]', '[THINK]', '[/THINK]', '</s>'];
const tokens = ['f', '{"zip": ', '12', '}', 'a', '[TOOL_CALLS]x', 'Ã', '¤', ...control];
const pieces = createPieces({ tokens, kinds: tokens.map((token) => (control.includes(token) ? 3 : 1)), spelling: 'alphabet' });
const format: AnswerFormat = { reasoning: { start: '[THINK]', end: '[/THINK]' }, calls: 'bracket-tags' };
const tools = [{ type: 'function', function: { name: 'f', parameters: { properties: { zip: { type: 'string' } } } } }];
const id = (token: string) => tokens.indexOf(token) as TokenId;

function read(names: readonly string[], options: AnswerOptions = { tools }, like = format): AnswerPart[] {
  const decoder = createAnswerDecoder(pieces, like, options);
  return [...names.flatMap((name) => decoder.push(id(name))), ...decoder.end()];
}

describe('marks that are control tokens', () => {
  test('a call', () => {
    const [call, ...rest] = read(['[TOOL_CALLS]', 'f', '[ARGS]', '{"zip": ', '12', '}', '</s>']);
    expect(call).toEqual({ kind: 'call', index: 0, name: 'f' });
    expect(rest.map((part) => [part.kind, 'text' in part && part.text])).toEqual(['{', '"', 'zip', '"', ': ', '12', '}'].map((text) => ['arguments', text]));
  });
  test('a thought, and one that the prompt has begun', () => {
    const parts = [
      { kind: 'reasoning', text: 'a' },
      { kind: 'content', text: 'f' },
    ];
    expect(read(['[THINK]', 'a', '[/THINK]', 'f'])).toEqual(parts);
    expect(read(['a', '[/THINK]', 'f'], { prompt: Uint32Array.of(id('a'), id('[THINK]')) })).toEqual(parts);
    expect(read(['a'], { prompt: Uint32Array.of(id('[THINK]'), id('a')) })).toEqual([{ kind: 'content', text: 'a' }]);
  });
  test('without tools a call is text, but for its mark', () => {
    expect(read(['a', '[TOOL_CALLS]', 'f'], {})).toEqual([
      { kind: 'content', text: 'a' },
      { kind: 'content', text: '[TOOL_CALLS]' },
      { kind: 'content', text: 'f' },
    ]);
  });
});

describe('the grammar of an answer', () => {
  const masks = new Masks(createVocabulary(pieces), [id('</s>')]);
  const typed = (type: string) => [{ type: 'function', function: { name: 'f', parameters: { properties: { zip: { type } } } } }];
  /** How many of the tokens are taken, and whether the answer may end there. */
  const follow = (names: readonly string[], options: Parameters<typeof createAnswerGrammar>[2]): [count: number, isWhole: boolean] => {
    const grammar = createAnswerGrammar(pieces, format, options) ?? expect.fail('no grammar');
    const matcher = new Matcher(compileGrammar(grammar), masks);
    const count = names.findIndex((name) => matcher.mask() === undefined || !matcher.accept(id(name)));
    return [count < 0 ? names.length : count, matcher.isComplete];
  };
  const prompt = Uint32Array.of(id('a'));
  const call = ['[TOOL_CALLS]', 'f', '[ARGS]', '{"zip": ', '12', '}'];

  test('has marks as the tokens that they are', () => {
    expect(follow(call, { prompt, tools: typed('integer'), choice: 'required' })).toEqual([6, true]);
    expect(follow(call, { prompt, tools: typed('string'), choice: 'required' })).toEqual([4, false]);
    expect(follow(['[TOOL_CALLS]x'], { prompt, tools: typed('integer'), choice: 'required' })).toEqual([0, false]);
    expect(follow(['f', ...call], { prompt, tools: typed('integer'), strict: ['f'] })).toEqual([7, true]);
  });
  test('goes on with the thought that the prompt has begun', () => {
    const begun = { prompt: Uint32Array.of(id('[THINK]')), tools: typed('integer'), choice: 'required' } as const;
    expect(follow(['a', '[/THINK]', ...call], begun)).toEqual([8, true]);
    expect(follow(call, begun)).toEqual([0, false]);
    expect(follow(['[THINK]'], { ...begun, prompt: Uint32Array.of(id('[THINK]'), id('[/THINK]')) })).toEqual([0, false]);
  });
});

test('characters that lie in two tokens stay whole', () =>
  expect(read(['a', 'Ã', '¤'])).toEqual([
    { kind: 'content', text: 'a' },
    { kind: 'content', text: 'ä' },
  ]));

test('types of arguments come from the schemas of the tools', async () => {
  const template = '{% for t in tools %}{{ t }}{% endfor %}<tool_call><function=f><parameter=zip>';
  await using text = await openText({ modelPath: folder.write(ggufBytes(tokenizerPairs({ template, control: ['<|end|>'] }))) });
  const decoder = text.createAnswerDecoder({ tools });
  const answer = '<tool_call><function=f><parameter=zip>3012</parameter><parameter=n>3012</parameter></function></tool_call>';
  const parts = [...Buffer.from(answer)].flatMap((byte) => decoder.push(byte as TokenId));
  expect(parts[0]).toEqual({ kind: 'call', index: 0, name: 'f' });
  expect(
    parts
      .slice(1)
      .map((part) => ('text' in part ? part.text : ''))
      .join(''),
  ).toBe('{"zip": "3012", "n": 3012}');
});

test('a chat is rendered with its tools, and a tool that spells a control token stays text', async () => {
  const template =
    '{% if tools %}{{ tools[0].function.name }}{{ enable_thinking }}{% endif %}{% for m in messages %}<|end|>{{ m.reasoning_content }}{{ m.tool_calls[0].function.arguments.a }}{{ m.tool_call_id }}{% endfor %}{{ add_generation_prompt }}';
  await using text = await openText({ modelPath: folder.write(ggufBytes(tokenizerPairs({ template, control: ['<|end|>'] }))) });
  const message = {
    role: 'assistant',
    content: '',
    reasoning: 'r',
    toolCalls: [{ type: 'function' as const, function: { name: 'f', arguments: { a: 'b' } } }],
    toolCallId: 'c',
  };
  const ids = await text.encodeChat([message], {
    tools: [{ function: { name: '<|end|>' } }],
    variables: { enable_thinking: false },
    addGenerationPrompt: false,
  });
  const decoder = text.createDecoder();
  expect(Array.from(ids, (one) => (one === 256 ? '|' : decoder.push(one as TokenId))).join('')).toBe('<|end|>False|rbcFalse');
});

test('arguments are an object for a template, and JSON text for one that puts them together as text', async () => {
  const template = "{% for m in messages %}{{ '<|end|>' + m.tool_calls[0].function.arguments }}{% endfor %}";
  await using text = await openText({ modelPath: folder.write(ggufBytes(tokenizerPairs({ template, control: ['<|end|>'] }))) });
  const call = { id: 'c', type: 'function' as const, function: { name: 'f', arguments: { a: '<|end|>' } } };
  const ids = await text.encodeChat([{ role: 'assistant', content: '', toolCalls: [call] }], { tools });
  const decoder = text.createDecoder();
  expect(Array.from(ids, (one) => decoder.push(one as TokenId)).join('')).toBe('{"a":"<|end|>"}');
});
