/** Streets, units, cities, facilities; states, countries and departments stay. */
import { describe, expect, test } from 'vitest';
import { find, findType } from './find.ts';

describe('found', () => {
  test.each([
    ['lives at 482 Larkspur Lane.', '482 Larkspur Lane'],
    ['1750 N. Grand Ave, Apt 4B, Tulsa, OK 74103', '1750 N. Grand Ave, Apt 4B, Tulsa, OK 74103'],
    ['P.O. Box 1187', 'P.O. Box 1187'],
    ['ZIP code 74103', '74103'],
    ['moved here from Tulsa last year', 'Tulsa'],
    ['from Salt Lake City, UT', 'Salt Lake City, UT'],
    ['seen at Willow Bend Clinic for', 'Willow Bend Clinic'],
    ["St. Brendan's Medical Center", "St. Brendan's Medical Center"],
    ['admitted to MGH overnight', 'MGH'],
    ['our Tulsa office called', 'Tulsa office'],
    ['lives in Kittitas County', 'Kittitas County'],
    ['Domicilio: Calle Olmo, 12, 3 B.', 'Calle Olmo, 12, 3 B'],
    ['latitude 41.930646', '41.930646'],
    ['Dorfstrasse 14', 'Dorfstrasse 14'],
    ['USCGC Marlowe\nFPO AE 09123', 'USCGC Marlowe\nFPO AE 09123'],
    ['12 Elm Court\nSpringfield, null\n50882', '12 Elm Court\nSpringfield, null\n50882'],
    ['grew up on Larkspur Street here', 'Larkspur Street'],
    ['lives at 482 Windy Fold with', '482 Windy Fold'],
  ])('%s', (text, expected) => expect(findType(text, 'GEO')).toEqual([expected]));

  test('an address over lines is one span up to its end', () =>
    expect(findType('12 Via Garibaldi 140\nSuite 9\nPoggiolo\nItaly 40122\n\nThank you', 'GEO')).toEqual([
      '12 Via Garibaldi 140\nSuite 9\nPoggiolo\nItaly 40122',
    ]));
});

test.each([
  'moved from Texas to Germany',
  'sent to the Emergency Department, then to Physical Therapy',
  'seen in the hospital by the clinic nurse',
  'Primary Care follow-up in 2 weeks',
  'seen at 10:00 AM, then discharged',
  'on the road to recovery, on track',
  'fracture at the L4 level, mass in the Right Lower Lobe',
])('left: %s', (text) => expect(find(text)).toEqual([]));
