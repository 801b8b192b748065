/** Streets of other countries, with the word for one or without; numbers of other things stay out. */
import { describe, expect, test } from 'vitest';
import { find, findType } from './find.ts';

describe('found', () => {
  test.each([
    ['a word before the name', 'lives on Rua Marta 57.', 'Rua Marta 57'],
    ['a word before it and words inside', 'moved to 7 avenue de la gare', '7 avenue de la gare'],
    ['an ending', 'lives on Lindenstrasse 14.', 'Lindenstrasse 14'],
    ['an ending behind hyphens', 'lives on Anna-Huber-Platz 3.', 'Anna-Huber-Platz 3'],
    ['a word behind the name, and the number an ordinal', 'in Szép Ilona utca 9.', 'Szép Ilona utca 9.'],
    ['a post box', 'send it to Postfach 812', 'Postfach 812'],
    ['no word at all', 'lives on Brombærlia 21.', 'Brombærlia 21'],
    ['two streets', 'at the corner of 4 Alder Rd. and Quimby Lane', 'the corner of 4 Alder Rd. and Quimby Lane'],
    ['a name in brackets', '12 Odos Ermou 8\nNafplio (Argolida) 21100', '12 Odos Ermou 8\nNafplio (Argolida) 21100'],
  ])('%s', (_, text, expected) => expect(findType(text, 'GEO')).toEqual([expected]));
});

test.each(['started on Lantus 20 units', 'scored 3 on Apgar 1', 'in Figure 2, at Week 12.', 'transferred to Room 4.', 'titrated to Lasix 40, then 80'])(
  'left: %s',
  (text) => expect(find(text)).toEqual([]),
);
