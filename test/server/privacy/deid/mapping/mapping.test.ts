/** The mapping keeps its secret and ends. */
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Mapping } from '../../../../../server/privacy/deid/mapping/mapping.ts';

test('one value has one tag, other spellings of it have its number', () => {
  const mapping = new Mapping();
  mapping.meet(['John Smith', 'Smith', 'SMITH']);
  expect(['John Smith', 'Smith', 'John Smith', 'SMITH'].map((name) => mapping.tag('NAME', name))).toEqual(['[NAME-1]', '[NAME-1.2]', '[NAME-1]', '[NAME-1.3]']);
  expect(['(617) 253-1000', '617-253-1000', '617-253-1001'].map((phone) => mapping.tag('PHONE', phone))).toEqual(['[PHONE-1]', '[PHONE-1.2]', '[PHONE-2]']);
  // 1/12 and 11/2 have the same digits and are two days.
  expect(['1/12', '11/2'].map((date) => mapping.tag('DATE', date))).toEqual(['[DATE-1]', '[DATE-2]']);
});

test('numbers that a text has already are left to it', () => {
  const mapping = new Mapping();
  mapping.reserve('NAME', 1);
  mapping.reserve('NAME', 2);
  expect([mapping.tag('NAME', 'Smith'), mapping.tag('GEO', 'Boston')]).toEqual(['[NAME-3]', '[GEO-1]']);
});

test('a text stands for one value only', () => {
  const mapping = new Mapping();
  expect(mapping.record('NAME', 'Smith', 'Weaver')).toBe(true);
  expect(mapping.record('NAME', 'Smith', 'Weaver')).toBe(true);
  expect(mapping.record('NAME', 'Jones', 'Weaver')).toBe(false);
});

test('days are shifted by a week to a year, either way, the same for all dates', () => {
  const shifts = Array.from({ length: 300 }, () => new Mapping()).map((mapping) => {
    expect(mapping.shift).toBe(mapping.shift);
    return mapping.shift;
  });
  for (const shift of shifts) expect(Math.abs(shift)).toBeGreaterThanOrEqual(7);
  for (const shift of shifts) expect(Math.abs(shift)).toBeLessThanOrEqual(364);
  expect(shifts.some((shift) => shift > 0) && shifts.some((shift) => shift < 0)).toBe(true);
  expect(new Set(shifts).size).toBeGreaterThan(50);
});

test('printed, turned to JSON or cloned it shows no value, no text and no shift', () => {
  const mapping = new Mapping();
  mapping.record('NAME', 'Marker-Original', 'Marker-Text');
  const shift = String(mapping.shift);
  for (const shown of [inspect(mapping, { depth: 9, showHidden: true, getters: false }), JSON.stringify(mapping), String(mapping), `${Object.keys(mapping)}`]) {
    expect(shown).not.toContain('Marker');
    expect(shown).not.toContain(shift);
  }
  expect(JSON.parse(JSON.stringify(mapping))).toEqual({ size: 1 });
});

test('after its end it holds nothing and refuses to be used', () => {
  const mapping = new Mapping();
  mapping.record('NAME', 'Smith', '[NAME-1]');
  mapping[Symbol.dispose]();
  expect([mapping.size, mapping.pairs.length]).toEqual([0, 0]);
  expect(() => mapping.tag('NAME', 'Smith')).toThrow(/disposed/);
  expect(() => mapping.shift).toThrow(/disposed/);
});
