/** Dates of an answer to a shifted text: back where they are known, a tag where they are not, in prose and in JSON. */
import { expect, test } from 'vitest';
import { deidentify } from '../../../../../server/privacy/deid/deidentify.ts';
import { Mapping } from '../../../../../server/privacy/deid/mapping/mapping.ts';
import { restore } from '../../../../../server/privacy/deid/restore/restorer.ts';
import { ShiftedDates } from '../../../../../server/privacy/deid/restore/shifted.ts';

const style = { isDayFirst: false, year: 2026 };

/** The fourteenth of March is the 24th for the model. */
function readAnswer(answer: string, format: 'text' | 'json' = 'text'): string {
  using mapping = new Mapping((below) => (below === 2 ? 1 : 3));
  const { text } = deidentify('Admitted 03/14/2024.', { mapping, actions: 'surrogate' });
  expect(text).toBe('Admitted 03/24/2024.');
  return restore(new ShiftedDates(mapping, style).settle(answer), mapping, { format });
}

test.each([
  ['as it was shifted', 'on 03/24/2024', 'on 03/14/2024'],
  ['in words', 'on March 24, 2024 at noon', 'on March 14, 2024 at noon'],
  ['the day after', 'on 03/25/2024', 'on [DATE-1]'],
  ['the true day, which the model cannot know', 'on 03/14/2024', 'on [DATE-1]'],
  ['no date', 'in 2024, at 80 mg', 'in 2024, at 80 mg'],
])('%s', (_, answer, expected) => expect(readAnswer(answer)).toBe(expected));

test('numbers and strings of JSON', () =>
  expect(JSON.parse(readAnswer('{"birthDate":20240324,"admissionDate":"2024-03-24","dischargeDate":"2024-03-26"}', 'json'))).toEqual({
    birthDate: 20240314,
    admissionDate: '2024-03-14',
    dischargeDate: expect.stringMatching(/^\[DATE-\d\]$/),
  }));
