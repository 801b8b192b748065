/** Check digits, by numbers that the standards print. */
import { describe, expect, test } from 'vitest';
import { isIban, isLuhn, isVin } from '../../../../server/privacy/deid/checks.ts';

describe('check digits', () => {
  // ISO/IEC 7812-1: 7992739871 takes the check digit 3.
  test.each([
    ['79927398713', true],
    ['79927398710', false],
    ['', false],
  ])('Luhn %s', (digits, expected) => expect(isLuhn(digits)).toBe(expected));

  // 45 CFR 162.406: the NPI 123456789 takes the check digit 3 behind the prefix 80840.
  test('NPI', () => expect([isLuhn('808401234567893'), isLuhn('808401234567894')]).toEqual([true, false]));

  test.each([
    ['GB82WEST12345698765432', true],
    ['GB82WEST12345698765433', false],
    ['DE89370400440532013000', true],
    ['XX', false],
  ])('IBAN %s', (code, expected) => expect(isIban(code)).toBe(expected));

  // 17 ones are right by the rule: each weight sums to 89, 89 mod 11 is 1.
  test.each([
    ['11111111111111111', true],
    ['1M8GDM9AXKP042788', true],
    ['1M8GDM9A1KP042788', false],
    ['1M8GDM9AXKP04278', false],
    ['IOQ11111111111111', false],
  ])('VIN %s', (code, expected) => expect(isVin(code)).toBe(expected));
});
