/** Check digits; numbers from ISO/IEC 7812 and the NPI standard's own example. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isNpi, keepChecksum } from '../../../../../server/privacy/deid/actions/checksums.ts';
import { isLuhn } from '../../../../../server/privacy/deid/checks.ts';

test('numbers of the standards pass, others do not', () => {
  for (const digits of ['79927398713', '4111111111111111', '808401234567893']) expect(isLuhn(digits)).toBe(true);
  expect(isLuhn('79927398710')).toBe(false);
  expect(isNpi('1234567893')).toBe(true);
  expect(isNpi('1234567890')).toBe(false);
});

test('drawn digits pass the check of the original', () => {
  const digits = (length: number) => fc.stringMatching(new RegExp(`^[1-9]\\d{${length - 1}}$`));
  fc.assert(fc.property(digits(16), (drawn) => void expect(isLuhn(keepChecksum(drawn, '4111111111111111'))).toBe(true)));
  fc.assert(fc.property(digits(10), (drawn) => void expect(isNpi(keepChecksum(drawn, '1234567893'))).toBe(true)));
  expect(keepChecksum('5555555555', '1234567890')).toBe('5555555555');
});
