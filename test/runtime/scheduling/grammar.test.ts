/** A sequence under a grammar: its masks name the tokens that the grammar takes, and a token outside of it ends this sequence alone. */
import { expect, test } from 'vitest';
import { Grammars } from '../../../runtime/grammar/grammars.ts';
import type { GrammarVocabulary } from '../../../runtime/types.ts';
import { expectedTokens, Simulation, vocabularySize, type World } from './simulation.ts';

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
const open = (ids: readonly number[]) => {
  const text = Buffer.from(ids.map((id) => 0x20 + id)).toString('latin1');
  return grammars.open({ kind: 'expression', source: new Uint8Array(Buffer.from(`${text.replace(/[^A-Z0-9]/g, '\\$&')}A*`)) }, 1);
};

test('goes on by each token, and allows the next one alone', () => {
  const simulation = new Simulation(world);
  const client = simulation.add({ promptIds, maxTokens: 8 });
  const expected = expectedTokens(client.request, world.contextLength);
  client.sequence.matcher = open(expected);
  const bits = client.sequence.allowed!.slice();
  expect(bits).toEqual(Uint32Array.from({ length: 2 }, (_, word) => (expected[0]! >> 5 === word ? 1 << (expected[0]! & 31) : 0)));
  simulation.drain(40);
  expect(client.events.flatMap((event) => (event.type === 'token' ? [event.id] : []))).toEqual(expected);
  expect(client.sequence.matcher).toBeUndefined();
});

test('a token that the grammar does not take fails the sequence, and no other one', () => {
  const simulation = new Simulation(world);
  const [held, free] = [simulation.add({ promptIds, maxTokens: 8 }), simulation.add({ promptIds, maxTokens: 8 })];
  const expected = expectedTokens(held.request, world.contextLength);
  held.sequence.matcher = open([expected[0]!, (expected[1]! + 1) % vocabularySize]);
  simulation.drain(40);
  expect(held.error).toMatchObject({ code: 'grammar_stuck' });
  expect(free.events.filter(({ type }) => type === 'token')).toHaveLength(8);
});
