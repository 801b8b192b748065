/** Surrogates belong to nobody: ranges by the standards that reserve them. */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { isNpi } from '../../../../../server/privacy/deid/actions/checksums.ts';
import { makeSurrogate } from '../../../../../server/privacy/deid/actions/surrogates.ts';
import { isLuhn } from '../../../../../server/privacy/deid/checks.ts';
import type { Category } from '../../../../../server/privacy/deid/types.ts';

const draws = (category: Category, value: string): (string | undefined)[] => Array.from({ length: 60 }, () => makeSurrogate(category, value, randomInt));
const every = (category: Category, value: string, form: RegExp): void => {
  for (const drawn of draws(category, value)) expect(drawn).toMatch(form);
};

test('telephone numbers are 555-0100 to 555-0199, in the form of the original', () => {
  every('PHONE', '(617) 253-1000', /^\([2-9]\d\d\) 555-01\d\d$/);
  every('PHONE', '+1 617.253.1000', /^\+1 [2-9]\d\d\.555\.01\d\d$/);
  every('FAX', '253-1000', /^555-01\d\d$/);
  every('PHONE', '617-253-1000 x1234', /^[2-9]\d\d-555-01\d\d x\d{4}$/);
  expect(makeSurrogate('PHONE', '+34 91 123 45 67', randomInt)).toBeUndefined();
});

test('social security numbers are of the area 666, which is never given out', () => {
  every('SSN', '123-45-6789', /^666-(?!00)\d\d-(?!0000)\d{4}$/);
  every('SSN', '123456789', /^666(?!00)\d\d(?!0000)\d{4}$/);
});

test('mail, addresses of the net and of pages are those kept for documents', () => {
  every('EMAIL', 'john.smith@hospital.org', /^[a-z]{6}\d\d@example\.com$/);
  every('IP', '10.20.30.40', /^(?:192\.0\.2|198\.51\.100|203\.0\.113)\.(?:[1-9]|[1-9]\d|1\d\d|2[0-4]\d|25[0-4])$/);
  every('IP', 'fe80::1:2:3', /^2001:db8::[0-9a-f]{1,4}:[0-9a-f]{1,4}$/);
  every('URL', 'https://hospital.org/patients/7', /^https:\/\/example\.org\/[a-z]{8}$/);
});

test('codes keep their form and their checksum', () => {
  every('MRN', 'MR-0045-12a', /^[A-Z]{2}-\d{4}-\d\d[a-z]$/);
  for (const drawn of draws('LICENSE', '1234567893')) expect(isNpi(drawn ?? '')).toBe(true);
  for (const drawn of draws('ACCOUNT', '4111 1111 1111 1111')) expect(isLuhn((drawn ?? '').replaceAll(' ', ''))).toBe(true);
});

test('places: a ZIP code that is not in use, a street with its kind, a facility with what it is', () => {
  every('GEO', '02139', /^(?:099|213|269)\d\d$/);
  every('GEO', '02139-4307', /^(?:099|213|269)\d\d-\d{4}$/);
  every('GEO', '77 Massachusetts Ave', /^\d{4} [A-Z][a-z]+ Ave$/);
  every('GEO', 'Mercy General Hospital', /^[A-Z][a-z]+ General Hospital$/);
  every('GEO', 'BOSTON', /^[A-Z]{5,}$/);
});

test('what is too short to be told from other words has none', () => {
  for (const [category, value] of [
    ['MRN', '1234'],
    ['ACCOUNT', '7'],
    ['PHOTO', 'photo-12345.jpg'],
  ] as const)
    expect(makeSurrogate(category, value, randomInt)).toBeUndefined();
});

test('what no answer repeats has none, so that the way back has no tree of it', () => {
  for (const category of ['OTHER_ID', 'MRN', 'EMAIL', 'URL', 'IP', 'PHONE'] as const)
    expect(makeSurrogate(category, `${'1:'.repeat(128)}1`, randomInt), category).toBeUndefined();
  expect(makeSurrogate('OTHER_ID', 'a1'.repeat(128), randomInt)).toHaveLength(256);
});
