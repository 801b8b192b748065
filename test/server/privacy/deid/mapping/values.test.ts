/** The store of values against a plain map. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ValueStore } from '../../../../../server/privacy/deid/mapping/values.ts';

test('values get numbers in order, and come back by them', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 50 })), (values) => {
      const store = new ValueStore();
      const model = [...new Set(values)];
      for (const value of values) expect(store.add(value)).toBe(model.indexOf(value));
      expect(store.count).toBe(model.length);
      for (const [index, value] of model.entries()) expect([store.get(index), store.find(value)]).toEqual([value, index]);
      expect(store.find(`${model.join('')}#`)).toBe(-1);
    }),
  );
});

test('a long value survives growing, and nothing survives clearing', () => {
  const store = new ValueStore();
  const long = 'lang€'.repeat(5000);
  store.add('first');
  store.add(long);
  expect(store.get(1)).toBe(long);
  store.clear();
  expect([store.count, store.find('first'), store.get(0)]).toEqual([0, -1, '']);
});
