/**
 * Text that a grammar leaves no choice of, as tokens: what is planned is what the tokenizer makes of the whole text (test/runtime/text/tokenizer.test.ts holds that
 * against the reference library's), it is in the mask, and what it is part of is valid.
 */
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { compileGbnf, compileSchema, createVocabulary, Masks, Matcher } from '../../../runtime/grammar/index.ts';
import { createPieces } from '../../../runtime/text/pieces.ts';
import { createTokenizer, type Tokenizer } from '../../../runtime/text/tokenizer.ts';
import { readVocabulary } from '../../../runtime/text/vocabulary.ts';
import type { TokenId } from '../../../runtime/types.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../../gguf-file.ts';
import { readFixture } from '../../test-data.ts';
import { createRandom } from './walk.ts';

interface Kind {
  readonly masks: Masks;
  readonly tokenizer: Tokenizer;
}

const folder = createFolder();
afterAll(folder.remove);
const kinds = new Map<string, Kind>();
function open(name: string): Kind {
  const made = kinds.get(name) ?? read(readFixture(`tokenizer/${name}.gguf.gz`));
  kinds.set(name, made);
  return made;
}

function read(file: Uint8Array): Kind {
  using checkpoint = openCheckpoint(folder.write(file));
  const vocabulary = readVocabulary(checkpoint);
  return { masks: new Masks(createVocabulary(createPieces(vocabulary)), vocabulary.stopIds), tokenizer: createTokenizer(vocabulary) };
}

const schema = {
  type: 'object',
  properties: {
    patient_medical_record_number: { type: 'integer', minimum: 0, maximum: 999 },
    dateOfLastColonoscopyScreening: { enum: ['not documented', 'never performed', 'Überweisung läuft'] },
    'Größe (in Zentimetern), gemessen': { const: { unit_of_measurement: 'centimetres', 'körperlich untersucht?': true } },
  },
  required: ['patient_medical_record_number', 'dateOfLastColonoscopyScreening', 'Größe (in Zentimetern), gemessen'],
  additionalProperties: false,
};
const value = {
  patient_medical_record_number: 412,
  dateOfLastColonoscopyScreening: 'never performed',
  'Größe (in Zentimetern), gemessen': { unit_of_measurement: 'centimetres', 'körperlich untersucht?': true },
};
const validate = new Ajv().compile(schema);

describe.each(['gpt-2', 'deepseek-coder', 'smollm2'])('%s', (name) => {
  test.each([
    ['compact', JSON.stringify(value)],
    ['indented', JSON.stringify(value, null, 2)],
  ])('tokens of a text that must come are those of the tokenizer, and most of a text: %s', (_, text) => {
    const { masks, tokenizer } = open(name);
    const matcher = new Matcher(compileSchema(schema), masks);
    const tokens = [...tokenizer.encode(text, { addSpecial: false, parseSpecial: false })];
    const planned: [found: number, expected: number][] = [];
    for (const id of tokens) {
      if (matcher.planned !== undefined) planned.push([matcher.planned, id]);
      expect(matcher.accept(id)).toBe(true);
    }
    expect(planned.map(([found]) => found)).toEqual(planned.map(([, expected]) => expected));
    expect(planned.length).toBeGreaterThan(tokens.length / 2);
  });

  test('along random choices what is planned is in the mask, and what comes of it is valid', () => {
    const { masks } = open(name);
    const start = compileSchema(schema);
    const bytes = masks.vocabulary;
    for (let seed = 1; seed <= 3; seed++) {
      const random = createRandom(seed * 7919);
      const matcher = new Matcher(start, masks);
      let text = Buffer.alloc(0);
      while (!matcher.isComplete) {
        const words = matcher.mask() ?? expect.fail('stuck');
        const isAllowed = (id: number): boolean => ((words[id >>> 5]! >>> (id & 31)) & 1) === 1;
        let drawn = Math.floor(random() * bytes.size);
        while (!isAllowed(drawn)) drawn = (drawn + 1) % bytes.size;
        const id = matcher.planned ?? drawn;
        expect([isAllowed(id), matcher.accept(id)]).toEqual([true, true]);
        text = Buffer.concat([text, bytes.bytes.subarray(bytes.offsets[id], bytes.offsets[id + 1])]);
      }
      const found: unknown = JSON.parse(text.toString('utf8'));
      expect([found, validate(found)]).toEqual([found, true]);
    }
  });
});

test('nothing is planned where the text may end, another byte or a token may come, and the last token never is', () => {
  const { masks, tokenizer } = open('smollm2');
  const ids = (text: string): TokenId[] => [...tokenizer.encode(text, { addSpecial: false, parseSpecial: false })] as TokenId[];
  const plan = (source: string, before = ''): TokenId[] => {
    const matcher = new Matcher(compileGbnf(source), masks);
    for (const id of ids(before)) expect(matcher.accept(id)).toBe(true);
    const planned: TokenId[] = [];
    for (let id = matcher.planned; id !== undefined; id = matcher.planned) {
      planned.push(id);
      expect(matcher.accept(id)).toBe(true);
    }
    return planned;
  };
  const words = 'documentation of the procedure';
  expect(ids(words).length).toBeGreaterThan(3);
  expect(plan(`root ::= "${words}"`)).toEqual(ids(words).slice(0, -1));
  expect(plan(`root ::= "${words}"?`)).toEqual([]);
  expect(plan(`root ::= "${words}" | "x"`)).toEqual([]);
  expect(plan(`root ::= "${words}" | <[7]>`)).toEqual([]);
  // What follows decides the last token: the text goes on to "documentations" or "documentation of".
  expect(plan('root ::= "the documentation" ("s" | " of")')).toEqual(ids('the'));
  expect(plan('root ::= "a" ("x" | " documentation of all")', 'a documentation')).toEqual(ids(' of'));
});

test('a token that was added to the vocabulary is one wherever a text spells it, the longest first', () => {
  const { masks, tokenizer } = read(ggufBytes(tokenizerPairs({ merges: ['t o', 'o l', 'to ol'], user: ['<to', '<tool>', '</tool>'] })));
  const text = 'a<tool>tool</tool>tool<toto';
  const ids = [...tokenizer.encode(text, { addSpecial: false, parseSpecial: false })];
  expect(ids).toHaveLength(7);
  const matcher = new Matcher(compileGbnf(`root ::= "${text}"`), masks);
  const planned = Array.from({ length: ids.length - 1 }, () => {
    const id = matcher.planned ?? expect.fail('nothing is planned');
    matcher.accept(id);
    return id;
  });
  expect([planned, matcher.planned]).toEqual([ids.slice(0, -1), undefined]);
});
