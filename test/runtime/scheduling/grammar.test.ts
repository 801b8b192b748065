/** A sequence under a grammar: its masks name the tokens that the grammar takes, and a token outside of it ends this sequence alone. */
import { describe, expect, test } from 'vitest';
import { Grammars } from '../../../runtime/grammar/grammars.ts';
import type { GenerateRequest, GrammarVocabulary, TokenId } from '../../../runtime/types.ts';
import { type Client, expectedTokens, Simulation, vocabularySize, type World } from './simulation.ts';

const world: World = { maxSequences: 4, queueLength: 16, tokenBudget: 24, blockLength: 4, contextLength: 96, maxLogitRows: 24, blockCount: 100 };
const promptIds = Uint32Array.of(1, 2, 3);
/** Token i is the character 0x20 + i. */
const vocabulary: GrammarVocabulary = {
  offsets: Uint32Array.from({ length: vocabularySize + 1 }, (_, id) => id),
  bytes: Uint8Array.from({ length: vocabularySize }, (_, id) => 0x20 + id),
  names: new Uint8Array(vocabularySize),
  stopIds: [],
};
const grammars = new Grammars(vocabulary);
const open = (ids: readonly number[], rest = 'A*') => {
  const text = Buffer.from(ids.map((id) => 0x20 + id)).toString('latin1');
  return grammars.open({ kind: 'expression', source: new Uint8Array(Buffer.from(`${text.replace(/[^A-Z0-9]/g, '\\$&')}${rest}`)) }, 1);
};
const tokensOf = ({ events }: Client): number[] => events.flatMap((event) => (event.type === 'token' ? [event.id] : []));

test('goes on by each token, and allows the next one alone', () => {
  const simulation = new Simulation(world);
  const client = simulation.add({ promptIds, maxTokens: 8 });
  const expected = expectedTokens(client.request, world.contextLength);
  client.sequence.matcher = open(expected);
  const bits = client.sequence.allowed!.slice();
  expect(bits).toEqual(Uint32Array.from({ length: 2 }, (_, word) => (expected[0]! >> 5 === word ? 1 << (expected[0]! & 31) : 0)));
  simulation.drain(40);
  expect(tokensOf(client)).toEqual(expected);
  expect(client.sequence.matcher).toBeUndefined();
});

test('a token that the grammar does not take fails the sequence, and no other one', () => {
  const simulation = new Simulation(world);
  // With log-probabilities each token is the model's own.
  const [held, free] = [simulation.add({ promptIds, maxTokens: 8, logprobs: 0 }), simulation.add({ promptIds, maxTokens: 8 })];
  const expected = expectedTokens(held.request, world.contextLength);
  held.sequence.matcher = open([expected[0]!, (expected[1]! + 1) % vocabularySize]);
  simulation.drain(40);
  expect(held.error).toMatchObject({ code: 'grammar_stuck' });
  expect(free.events.filter(({ type }) => type === 'token')).toHaveLength(8);
});

test('tokens without a choice need no step, and what the model says behind them is what it would have said', () => {
  const request = { promptIds, maxTokens: 12 };
  const expected = expectedTokens(request, world.contextLength);
  // Between runs of tokens that must come the model has a choice of all: its answer depends on every one before.
  const [head, middle] = [expected.slice(0, 5), expected.slice(6, 9)];
  const text = (ids: readonly number[]): string => ids.map((id) => String.fromCharCode(0x20 + id).replace(/[^A-Z0-9]/, '\\$&')).join('');
  const run = (more: object, grammar: boolean): { readonly client: Client; readonly steps: number; readonly forced: number } => {
    const simulation = new Simulation(world);
    const client = simulation.add({ ...request, ...more });
    if (grammar) client.sequence.matcher = open(head, `[ -_]${text(middle)}[ -_]*`);
    simulation.drain(60);
    return { client, steps: simulation.steps, forced: simulation.scheduler.forcedTokenCount };
  };
  const [free, held, watched] = [run({}, false), run({}, true), run({ logprobs: 0 }, true)];
  for (const { client } of [free, held, watched]) expect(tokensOf(client)).toEqual(expected);
  // Of the head the first comes of the prompt's own step.
  expect(held).toMatchObject({ forced: 7, steps: free.steps - 7 });
  expect(watched).toMatchObject({ forced: 0, steps: free.steps });
});

test('an answer that can only end does so without a step, whichever of its end tokens the model would take', () => {
  const ends = [62 as TokenId, 63 as TokenId];
  const own = new Grammars({ ...vocabulary, names: new Uint8Array(vocabularySize).fill(1, 62), stopIds: ends });
  const simulation = new Simulation(world);
  const [first] = expectedTokens({ promptIds, maxTokens: 1 }, world.contextLength);
  const client = simulation.add({ promptIds, maxTokens: 12, stopIds: ends });
  client.sequence.matcher = own.open({ kind: 'expression', source: new Uint8Array(Buffer.from(`\\x${(0x20 + first!).toString(16)}AB`)) }, 1);
  simulation.drain(10);
  expect(client.events.at(-1)).toMatchObject({ type: 'end', reason: 'stop', completionTokens: 4 });
  expect(simulation.scheduler.forcedTokenCount).toBe(3);
});

describe('a text that several tokens can spell', () => {
  /** Token i is two characters, and behind those each character is a token too, so that nothing has one spelling alone. */
  const pairs: GrammarVocabulary = {
    offsets: Uint32Array.from({ length: vocabularySize + 129 }, (_, id) => (id <= vocabularySize ? id * 2 : id + vocabularySize)),
    bytes: Uint8Array.from({ length: 256 }, (_, i) => i % 128),
    names: new Uint8Array(vocabularySize + 128),
    stopIds: [],
  };
  const spell = (ids: readonly number[]): string => ids.flatMap((id) => [id * 2, id * 2 + 1]).map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''); // biome-ignore format: one line
  const request = { promptIds, maxTokens: 16 };
  const expected = expectedTokens(request, world.contextLength);
  /** Six tokens, one of the model's choice, five, and what the model likes. */
  const source = `${spell(expected.slice(0, 6))}[\\x00-\\x7f]{2}${spell(expected.slice(7, 12))}[\\x00-\\x7f]*`;
  const start = (more: Partial<GenerateRequest> = {}, isHeld = true): { readonly client: Client; readonly simulation: Simulation } => {
    const simulation = new Simulation(world);
    const client = simulation.add({ ...request, ...more });
    if (isHeld) client.sequence.matcher = new Grammars(pairs).open({ kind: 'expression', source: new Uint8Array(Buffer.from(source)) }, 1);
    return { client, simulation };
  };
  const run = (more: Partial<GenerateRequest> = {}, isHeld = true): { readonly client: Client; readonly steps: number; readonly forced: number } => {
    const { client, simulation } = start(more, isHeld);
    simulation.drain(60);
    return { client, steps: simulation.steps, forced: simulation.scheduler.forcedTokenCount };
  };
  const free = run({}, false);

  test('takes a step for its first token and its last, which the model chooses, and says the same', () => {
    const held = run();
    expect(tokensOf(held.client)).toEqual(expected);
    expect(held).toMatchObject({ forced: 4 + 4, steps: free.steps - 8 });
    expect(held.client.events.at(-1)).toMatchObject({ type: 'end', reason: 'length', promptTokens: 3, completionTokens: 16 });
  });
  test.each<[string, Partial<GenerateRequest>]>([
    ['log-probabilities', { logprobs: 0 }],
    ['a repetition penalty', { sampling: { repetitionPenalty: 1.1 } }],
    ['a penalty', { sampling: { presencePenalty: 0.1 } }],
  ])('%s: each token is the model`s', (_, more) => expect(run(more)).toMatchObject({ forced: 0, steps: free.steps }));
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9])('ends within it after %i tokens, when that is the most', (maxTokens) => {
    const { client } = run({ maxTokens });
    expect(tokensOf(client)).toEqual(expected.slice(0, maxTokens));
    expect(client.events.at(-1)).toMatchObject({ type: 'end', reason: 'length', completionTokens: maxTokens });
  });
  test('ends within it at a token that the request ends at', () => {
    const { client } = run({ stopIds: [expected[3] as TokenId] });
    const length = expected.indexOf(expected[3]!) + 1;
    expect(tokensOf(client)).toEqual(expected.slice(0, length));
    expect(client.events.at(-1)).toMatchObject({ type: 'end', reason: 'stop', completionTokens: length });
  });
  test('a reader who leaves within it gets no more of it', () => {
    const { client, simulation } = start();
    const event = client.sequence.sink.event;
    client.sequence.sink.event = (each) => {
      event(each);
      if (tokensOf(client).length === 3) client.sequence.aborted = true;
    };
    simulation.drain(60);
    expect(tokensOf(client)).toEqual(expected.slice(0, 3));
    expect(client.sequence.hasEnded).toBe(true);
  });
});
