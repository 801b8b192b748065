/** Messages and notes made by others (INWARD_TEST_DATA): markers that must not survive, patients with known fields, notes that must come back. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { replaceIdentifiers } from '../../../../server/privacy/deid/deidentify.ts';
import { restore } from '../../../../server/privacy/deid/restore/restorer.ts';
import type { Span } from '../../../../server/privacy/deid/types.ts';
import { findTestData } from '../../../test-data.ts';
import { createListDetector } from './detector.ts';

interface Note {
  readonly text: string;
  readonly spans: readonly { readonly start: number; readonly end: number; readonly type: Span['type'] | 'none' }[];
}

const data = findTestData('messages with planted identifiers, patients and notes');
const folder = join(data ?? '', 'data/deid');
const read = (name: string): Note[] =>
  readFileSync(join(folder, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

if (data !== undefined) {
  for (const name of readdirSync(join(folder, 'marker-fixtures')))
    test(`no marker survives in ${name}, with fields and codes alone`, () => {
      const text = readFileSync(join(folder, 'marker-fixtures', name), 'utf8');
      for (const actions of ['tag', 'generalize', 'remove'] as const) {
        const { text: out } = replaceIdentifiers(text, createListDetector({}), { actions });
        expect(out.match(/ZZ[A-Z0-9]+/g)).toBeNull();
        if (name.endsWith('.json')) expect(() => JSON.parse(out)).not.toThrow();
        expect(replaceIdentifiers(out, createListDetector({}), { actions }).text).toBe(out);
      }
      const { text: out, mapping } = replaceIdentifiers(text, createListDetector({}));
      expect(restore(out, mapping)).toBe(text);
    });

  test('of FHIR patients, 98 of 100 identifiers go by the standard alone, and nothing that is none', () => {
    const [found, all] = [new Set<string>(), new Set<string>()];
    for (const [index, { text, spans }] of read('fhir-patients.dev.jsonl').entries()) {
      const { text: out, spans: own, mapping } = replaceIdentifiers(text, createListDetector({}));
      for (const { start, end } of spans.filter(({ type }) => type !== 'none')) {
        all.add(`${index}:${start}`);
        if (own.some((span) => span.start <= start && span.end >= end)) found.add(`${index}:${start}`);
      }
      for (const span of own) expect(spans.some(({ start, end }) => start < span.end && span.start < end)).toBe(true);
      expect(restore(out, mapping)).toBe(text);
      expect(() => JSON.parse(out)).not.toThrow();
    }
    expect(found.size / all.size).toBeGreaterThanOrEqual(0.98);
  });

  test('every note comes back from tags and from surrogates, with the spans of who marked it', () => {
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.jsonl')))
      for (const { text, spans = [] } of read(name)) {
        const known = { detect: (asked: string) => (asked === text ? spans.filter((span): span is Span => span.type !== 'none') : []) };
        for (const actions of ['tag', 'surrogate'] as const) {
          const { text: out, mapping } = replaceIdentifiers(text, known, { actions });
          const back = restore(out, mapping);
          if (actions === 'tag' || !out.includes('90+')) expect(back).toBe(text);
        }
      }
  });
}
