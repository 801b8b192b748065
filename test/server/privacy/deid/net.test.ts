/** Addresses of networks, and the names of standards, which stay. */
import { describe, expect, test } from 'vitest';
import { find } from './find.ts';

describe('found', () => {
  test.each([
    ['write to j.doe+ward@mail.example.org.', ['EMAIL:j.doe+ward@mail.example.org']],
    ['see https://portal.example.org/p?id=7#top, then', ['URL:https://portal.example.org/p?id=7#top']],
    ['www.example.org/notes', ['URL:www.example.org/notes']],
    ['on example.com today', ['URL:example.com']],
    ['from 192.168.4.17.', ['IP:192.168.4.17']],
    ['host 2001:db8::ff00:42:8329 up', ['IP:2001:db8::ff00:42:8329']],
    ['MAC 00:1A:2B:3C:4D:5E', ['DEVICE:00:1A:2B:3C:4D:5E']],
  ])('%s', (text, expected) => expect(find(text)).toEqual(expected));
});

test.each([
  'http://hl7.org/fhir/StructureDefinition/Patient',
  'pain is mild.It is better',
  'version 1.2.3.4.5',
  'ratio 1:2:3 at 10:30:15',
  'std::vector',
  '999.1.1.1',
])('left: %s', (text) => expect(find(text)).toEqual([]));
