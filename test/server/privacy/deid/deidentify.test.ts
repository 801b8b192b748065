/** The whole, with a detector that is told what to find: what goes out, and that it comes back. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { Action } from '../../../../server/privacy/deid/actions/plan.ts';
import { deidentify } from '../../../../server/privacy/deid/deidentify.ts';
import { Mapping } from '../../../../server/privacy/deid/mapping/mapping.ts';
import { createRestorer, restore } from '../../../../server/privacy/deid/restore/restorer.ts';
import type { Category, Span } from '../../../../server/privacy/deid/types.ts';
import { findTestData } from '../../../test-data.ts';
import { createListDetector, writeNote } from './detector.ts';

const today = new Date('2026-11-26T00:00:00Z');
const note = "John Smith (MRN 4417-22), born 03/14/1951, of 02139. Smith's wife Mary called 617-253-1000. Seen 02/28/2024; age 93.";
const detector = createListDetector({
  NAME: ['John Smith', 'Smith', 'Mary'],
  MRN: ['4417-22'],
  DATE: ['03/14/1951', '02/28/2024', '93'],
  GEO: ['02139'],
  PHONE: ['617-253-1000'],
});

test('tags', () => {
  const { text, counts, spans } = deidentify(note, { detector });
  expect(text).toBe("[NAME-1] (MRN [MRN-1]), born [DATE-1], of [GEO-1]. [NAME-1.2]'s wife [NAME-2] called [PHONE-1]. Seen [DATE-2]; age [DATE-3].");
  expect(counts).toEqual({ NAME: 3, MRN: 1, DATE: 3, GEO: 1, PHONE: 1 });
  expect(spans.map(({ start, end }) => note.slice(start, end))).toEqual([
    ...['John Smith', '4417-22', '03/14/1951', '02139', 'Smith', 'Mary', '617-253-1000', '02/28/2024', '93'],
  ]);
});

test('removed, kept, and in general form', () => {
  expect(deidentify(note, { detector, actions: 'remove' }).text).toBe(" (MRN ), born , of . 's wife  called . Seen ; age .");
  expect(deidentify(note, { detector, actions: 'keep' }).text).toBe(note);
  expect(deidentify(note, { detector, actions: { DATE: 'generalize', GEO: 'generalize', MRN: 'remove' }, today }).text).toBe(
    "[NAME-1] (MRN ), born 1951, of 021. [NAME-1.2]'s wife [NAME-2] called [PHONE-1]. Seen 2024; age 90+.",
  );
});

test('surrogates: one person stays one, the days between dates stay, nothing of the note is left', () => {
  const { text, mapping } = deidentify(note, { detector, actions: 'surrogate', today });
  const form = /^(\w+) (\w+) \(MRN \d{4}-\d\d\), born (\S+), of \d{5}\. (\w+)'s wife (\w+) called \d{3}-555-01\d\d\. Seen (\S+); age 90\+\.$/;
  const [, given, family, born = '', again, wife, seen = ''] = form.exec(text) ?? [];
  expect(again).toBe(family);
  expect(new Set([given, family, wife]).size).toBe(3);
  const day = (date: string): number => Date.parse(date) / 86_400_000;
  expect(Math.round(day(seen) - day(born))).toBe(day('02/28/2024') - day('03/14/1951'));
  for (const word of ['John', 'Smith', 'Mary', '4417-22', '02139', '253-1000', '02/28/2024', '03/14/1951']) expect(text).not.toContain(word);
  expect(restore(text, mapping)).toBe(note.replace('age 93', 'age 90+'));
});

test('a date that tells an age over 89 is never shifted, for it would still tell it', () => {
  const old = createListDetector({ DATE: ['03/14/1934'] });
  expect(deidentify('born 03/14/1934', { detector: old, actions: 'surrogate', today }).text).toBe('born [DATE-1]');
});

test('a shifted date that stands in the text for itself is not used', () => {
  // Every day of three years is kept, so that none is free; one more is a date to be shifted.
  const days = Array.from({ length: 1100 }, (_, day) => new Date(Date.UTC(2023, 0, 1 + day)).toISOString().slice(0, 10));
  const text = `${days.join(' ')} seen 2024-06-30.`;
  const only = { detect: () => [{ start: text.length - 11, end: text.length - 1, type: 'DATE' as const }] };
  const { text: out, mapping } = deidentify(text, { detector: only, actions: 'surrogate', today });
  expect(out.endsWith('seen [DATE-1].')).toBe(true);
  expect(restore(out, mapping)).toBe(text);
});

test('tags in the text are no identifiers, and their numbers are not given again', () => {
  const { text, mapping } = deidentify('[NAME-1] and John Smith, NAME-2', { detector });
  expect(text).toBe('[NAME-1] and [NAME-3], NAME-2');
  expect(restore(text, mapping)).toBe('[NAME-1] and John Smith, NAME-2');
});

test('a conversation knows its values again', () => {
  using mapping = new Mapping();
  expect(deidentify('John Smith', { detector, mapping }).text).toBe('[NAME-1]');
  expect(deidentify('Mary and Smith and John Smith', { detector, mapping }).text).toBe('[NAME-2] and [NAME-1.2] and [NAME-1]');
});

test('a number of JSON becomes a text in quotes, and a number again', () => {
  const text = '{"resourceType":"Location","position":{"latitude":42.474862,"longitude":-70.5}}';
  const { text: out, mapping } = deidentify(text, { detector: createListDetector({}) });
  expect(JSON.parse(out)).toEqual({ resourceType: 'Location', position: { latitude: '[GEO-1]', longitude: '[GEO-2]' } });
  for (const format of ['text', 'json'] as const) expect(restore(out, mapping, { format })).toBe(text);
  expect(JSON.parse(deidentify(text, { detector: createListDetector({}), actions: 'remove' }).text).position).toEqual({ latitude: null, longitude: null });
});

const value: fc.Arbitrary<readonly [Category, string]> = fc.oneof(
  fc.tuple(
    fc.constant<Category>('NAME'),
    fc.constantFrom('John Smith', 'SMITH, JOHN', 'Smith', 'Mary Wong', 'Wong', 'José Ángel Núñez', 'J. S.', "O'Brien", '😀 Wu'),
  ),
  fc.tuple(fc.constant<Category>('DATE'), fc.constantFrom('03/14/2024', '3/14', 'March 3, 2020', '2019-02-28', 'Tuesday', 'May 2001', '1931', '20200229')),
  fc.tuple(fc.constant<Category>('PHONE'), fc.constantFrom('617-253-1000', '(617) 253-1000', '253-1000', '+34 91 123 45 67')),
  fc.tuple(fc.constant<Category>('GEO'), fc.constantFrom('02139', 'Boston', '5 Old Road', '5 Old Road,\nBoston', 'General Hospital')),
  fc.tuple(
    fc.constantFrom<Category>('MRN', 'ACCOUNT', 'OTHER_ID', 'SSN', 'EMAIL', 'URL', 'IP'),
    fc.constantFrom('12', '4417-22', '123-45-6789', 'a@b.org', 'http://x.org/y', '10.0.0.1', 'x'),
  ),
);
const filler = fc.oneof(
  fc.constantFrom(' ', ', ', '. ', '\n', "'s ", ' [NAME-1] ', ' NAME-2 ', ' and ', ' 3/14/2023 ', ' Smith ', ' 617 ', '-', '/', ' [', '] ', '😀', ' May '),
  fc.string({ maxLength: 6 }),
);

for (const actions of ['tag', 'surrogate'] as const satisfies readonly Action[])
  test(`${actions}: putting back gives the note, sign by sign`, () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(filler, value), { maxLength: 12 }), filler, (parts, last) => {
        const { text, detector: known } = writeNote([...parts.flat().map((part) => part as string | readonly [Category, string]), last]);
        fc.pre(known.detect(text).length > 0);
        using mapping = new Mapping();
        const { text: out, spans } = deidentify(text, { detector: known, actions, mapping, today });
        expect(restore(out, mapping)).toBe(text);
        for (const [index, { start }] of spans.entries()) expect(start).toBeGreaterThanOrEqual(spans[index - 1]?.end ?? 0);
      }),
      { numRuns: 1000 },
    );
  });

test('a mapping that was made for a text is disposed if the text cannot be de-identified; one that was given stays', () => {
  const dispose = vi.spyOn(Mapping.prototype, Symbol.dispose);
  const fails = new Date(0);
  fails.getUTCFullYear = () => {
    throw new RangeError('no year');
  };
  expect(() => deidentify(note, { detector, today: fails })).toThrow(RangeError);
  expect(dispose).toHaveBeenCalledTimes(1);
  using mapping = new Mapping();
  expect(() => deidentify(note, { detector, today: fails, mapping })).toThrow(RangeError);
  expect(dispose).toHaveBeenCalledTimes(1);
  dispose.mockRestore();
});

test('twice is once', () => {
  for (const actions of ['tag', 'remove', 'generalize'] as const) {
    const once = deidentify(note, { detector, actions, today }).text;
    expect(deidentify(once, { detector, actions, today }).text).toBe(once);
  }
});

/** Notes made by others, with the identifiers that they marked. */
interface Note {
  readonly text: string;
  readonly spans: readonly { readonly start: number; readonly end: number; readonly type: Span['type'] | 'none' }[];
}

const data = findTestData('annotated notes');
const folder = join(data ?? '', 'data/deid');
const read = (name: string): Note[] =>
  readFileSync(join(folder, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** Every note in the long form, one of ten otherwise. */
function* pickNotes(): Generator<Note> {
  const step = process.env['INWARD_FULL'] === undefined ? 10 : 1;
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.jsonl')))
    for (const [index, note] of read(name).entries()) if (index % step === 0) yield note;
}

if (data !== undefined)
  test('found by the detector of this package: every note comes back in any frames, and twice is once', () => {
    for (const { text } of pickNotes()) {
      const { text: out, mapping } = deidentify(text);
      const restorer = createRestorer(mapping);
      // Frames of one to seventeen units, as a stream may have them.
      let back = '';
      for (let at = 0, length = 0; at < out.length; at += length) {
        length = 1 + ((at * 7 + out.length) % 17);
        back += restorer.push(out.slice(at, at + length));
      }
      expect(back + restorer.end()).toBe(text);
      const hidden = deidentify(text, { actions: 'surrogate' });
      if (!hidden.text.includes('90+')) expect(restore(hidden.text, hidden.mapping)).toBe(text);
      expect(deidentify(out).text).toBe(out);
      const general = deidentify(text, { actions: 'generalize' }).text;
      expect(deidentify(general, { actions: 'generalize' }).text).toBe(general);
    }
  });

if (data !== undefined)
  test('twice is once for parts of two notes side by side, in any case', () => {
    const texts = [...pickNotes()].map(({ text }) => text);
    const part = fc.tuple(fc.constantFrom(...texts), fc.nat(), fc.nat(300)).map(([text, start, length]) => text.slice(start % text.length).slice(0, length));
    const change = fc.constantFrom(
      (text: string) => text,
      (text: string) => text.toLowerCase(),
      (text: string) => text.toUpperCase(),
    );
    fc.assert(
      fc.property(part, fc.constantFrom(' ', '\n', '. ', ''), part, change, (first, between, second, write) => {
        const once = deidentify(write(first + between + second)).text;
        expect(deidentify(once).text).toBe(once);
      }),
      { numRuns: process.env['INWARD_FULL'] === undefined ? 300 : 5000 },
    );
  });

test('twice is once for any row of names, numbers, tags and pieces of messages', () => {
  const piece = fc.constantFrom(
    ...['Dr. ', 'John ', 'Smith', 'MRN: ', '4839201', '555-0142', '12 ', ' Main St', 'Apt 4 ', 'May ', '2021', '91 yo ', '03/04/2024', 'J.S. ', 'FPO AE 09123'],
    ...[
      '[NAME-1]',
      'NAME-1 ',
      '[GEO-2',
      ']',
      '{"family":"Roe"',
      '}',
      'PID|1||77^^^H^MR||Smith^John\r',
      ', ',
      '. ',
      '\n',
      "'s ",
      '-',
      ':',
      '😀',
      '\ud83d',
      'e\u0301',
      'ß',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      const once = deidentify(pieces.join('')).text;
      expect(deidentify(once).text).toBe(once);
    }),
    { numRuns: 300 },
  );
});

test('halves of pairs, a million digits and deep JSON come back', () => {
  const texts = ['Dr. Okonkwo \ud800 MRN: 4839201 \udc00\ud83d', `MRN: ${'7'.repeat(1_000_000)}`, `${'{"a":['.repeat(5000)}{"mrn":"4839201"}`];
  for (const text of texts) {
    const { text: out, mapping } = deidentify(text);
    expect(out).not.toContain('4839201');
    expect(restore(out, mapping)).toBe(text);
  }
});

if (data !== undefined)
  test('every note comes back from tags and from surrogates, with the spans of who marked it', () => {
    for (const { text, spans = [] } of pickNotes()) {
      const known = { detect: (asked: string) => (asked === text ? spans.filter((span): span is Span => span.type !== 'none') : []) };
      for (const actions of ['tag', 'surrogate'] as const) {
        const { text: out, mapping } = deidentify(text, { detector: known, actions });
        const back = restore(out, mapping);
        if (actions === 'tag' || !out.includes('90+')) expect(back).toBe(text);
      }
    }
  });
