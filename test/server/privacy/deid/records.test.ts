/** Values behind the keys of records, whole or cut. */
import { expect, test } from 'vitest';
import { find } from './find.ts';

test.each([
  ['{"family": "Roe", "given": ["Ada", "May"]}', ['NAME:Roe', 'NAME:Ada', 'NAME:May']],
  ['"line": [ "207 Wisoky Camp" ], "city": "Reading", "postalCode": "01867"', ['GEO:207 Wisoky Camp', 'GEO:Reading', 'GEO:01867']],
  ['"birthDate": "1974-02-28"', ['DATE:1974-02-28']],
  ['"url": "latitude", "valueDecimal": -71.770876', ['GEO:-71.770876']],
  ['"family": "Roe', []],
  ['"status": "final", "code": "718-7", "display": "Hemoglobin"', []],
])('%s', (text, expected) => expect(find(text)).toEqual(expected));
