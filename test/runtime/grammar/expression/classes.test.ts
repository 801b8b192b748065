/** Unicode properties against RegExp; what one grammar learns of them, no other does, and no grammar may ask without end. */
import { expect, test } from 'vitest';
import { findProperty } from '../../../../runtime/grammar/expression/classes.ts';
import { compileExpression } from '../../../../runtime/grammar/index.ts';
import { Budget } from '../../../../runtime/grammar/refusal.ts';
import { Terms } from '../../../../runtime/grammar/terms/terms.ts';

const create = (): Terms => new Terms(new Budget());

test('a property is looked for once in a grammar, and by each grammar anew', () => {
  const [one, other] = [create(), create()];
  const found = findProperty(one, 'ASCII_Hex_Digit');
  // Unicode, PropList.txt.
  expect(found).toEqual([0x30, 0x39, 0x41, 0x46, 0x61, 0x66]);
  expect(findProperty(one, 'ASCII_Hex_Digit')).toBe(found);
  expect(other.properties.size).toBe(0);
  expect(findProperty(other, 'ASCII_Hex_Digit')).not.toBe(found);
});

test.each(['None', 'L}|\\p{N', ''])('%j is no property', (name) => expect(findProperty(create(), name)).toBeUndefined());

const scripts =
  'Arab Armn Beng Bopo Cher Copt Cyrl Deva Ethi Geor Goth Grek Gujr Guru Hang Hani Hebr Hira Kana Khmr Knda Laoo Latn Mlym Mong Mymr Ogam Orya Runr Sinh Syrc Taml Telu Thai';
const refusal = (limit: number, what: string) => expect.objectContaining({ code: 'grammar_too_large', fields: { what, limit } });

test('more properties than one grammar may look for', () => {
  const source = scripts.split(' ').map((script) => `\\p{sc=${script}}`);
  expect(() => compileExpression(`[${source.join('')}]`)).toThrow(refusal(32, 'Unicode properties'));
});

test('one property again and again costs its ranges each time', () => {
  expect(() => compileExpression(`[${'\\p{L}'.repeat(20_000)}]`)).toThrow(refusal(2_000_000, 'parts'));
});
