import { expect, test } from 'vitest';
import { countOf, listIdNeedles, Markers } from '../../../server/prove/markers.ts';

const markers = new Markers();
const marker = markers.next();

test('markers are of letters, begin alike and are all different', () => {
  const made = Array.from({ length: 100 }, markers.next);
  expect(new Set(made).size).toBe(100);
  for (const text of made) expect(text).toMatch(new RegExp(`^${markers.stem}[a-z]{16}$`));
  expect(markers.stem).toMatch(/^[a-z]{12}$/);
  expect(markers.count).toBe(101);
});

test('a marker is found once in each form, wherever it begins', () => {
  for (const before of ['', 'x', 'xy', 'xyz']) {
    const text = `${before}${marker}.`;
    const bytes = Buffer.from(text);
    const forms = {
      plain: bytes,
      upper: Buffer.from(text.toUpperCase()),
      UTF16: Buffer.from(text, 'utf16le'),
      hexadecimal: Buffer.from(bytes.toString('hex')),
      HEXADECIMAL: Buffer.from(bytes.toString('hex').toUpperCase()),
      base64: Buffer.from(bytes.toString('base64')),
      base64url: Buffer.from(bytes.toString('base64url')),
      escapes: Buffer.from(text.replace(/[a-z]/g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`)),
    };
    for (const [form, found] of Object.entries(forms)) expect([form, before, markers.countIn(found)]).toEqual([form, before, 1]);
  }
});

test('another marker, or a part of the stem, is none', () => {
  const other = new Markers();
  expect(markers.countIn(Buffer.from(other.next()))).toBe(0);
  expect(markers.countIn(Buffer.from(markers.stem.slice(1)))).toBe(0);
});

test('what stands twice is counted twice', () => {
  expect(markers.countIn(Buffer.from(`${marker} ${markers.next()}${marker}`))).toBe(3);
  expect(countOf(Buffer.from('aaaa'), Buffer.from('aa'))).toBe(2);
});

test('a place whose name holds one is told without it', () => {
  expect(markers.hide(`/tmp/${marker}.txt and ${marker.toUpperCase()}`)).toBe('/tmp/(marker).txt and (marker)');
});

test('ids as words of 32 bits and as small numbers of V8, without the outer ones; too few are none', () => {
  const [words, small] = listIdNeedles(Uint32Array.of(9, 1, 2, 3, 0x10203, 9));
  expect([...(words ?? [])]).toEqual([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3, 2, 1, 0]);
  expect([...(small ?? [])]).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3, 2, 1, 0]);
  expect(listIdNeedles(Uint32Array.of(1, 2, 3, 4, 5))).toEqual([]);
});
