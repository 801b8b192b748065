/** Names: by title, label, kin, credential, list and by being unknown; everywhere once they are certain; eponyms, drugs and peoples stay. */
import { describe, expect, test } from 'vitest';
import { find, findType } from './find.ts';

describe('found', () => {
  test.each([
    ['title', 'seen by Dr. Okonkwo today', ['Dr. Okonkwo']],
    ['a title before a word', 'Dr. Young agrees', ['Dr. Young']],
    ['label', 'Patient: Brown, Alice M.', ['Brown, Alice M.']],
    ['label in capitals', 'NAME: SMITH, JOHN', ['SMITH, JOHN']],
    ['kin', 'mother Theresa Vance at bedside', ['Theresa Vance']],
    ['credential', 'Priya Raman, RN', ['Priya Raman']],
    ['signature', '/es/ Harold Finch', ['Harold Finch']],
    ['initial', 'a 52yo male, Robert K., with COPD', ['Robert K.']],
    ['two words that are also words', 'for Grace Long, who', ['Grace Long']],
    ['particles and hyphens', "named Anna van der Berg-O'Neill, here", ["Anna van der Berg-O'Neill"]],
    ['accents', 'with José Núñez in', ['José Núñez']],
    ['unknown word', 'transfer of Xochiquetzal arranged', ['Xochiquetzal']],
    ['lower case', 'follow up with patricia desrosiers soon', ['patricia desrosiers']],
    ['letters apart', 'patient J o h n here', ['J o h n']],
    ['a field, though a word', 'Last name: Long', ['Long']],
    ['a title before a word that is a colour', 'per Dr. White, who', ['Dr. White']],
    ['being called so', 'everyone calls me Christian here', ['Christian']],
    ['an initial in lower case', 'follow up with patricia m desrosiers soon', ['patricia m desrosiers']],
    ['Spanish', 'Nombre: Lucía.\nApellidos: Prieto Salas.', ['Lucía', 'Prieto Salas']],
  ])('%s', (_, text, expected) => expect(findType(text, 'NAME')).toEqual(expected));

  test('a certain name is found everywhere: alone, possessive, in capitals', () => {
    const text = "Patient: Walter Bishop. Bishop's wife called. BISHOP, then Walter slept.";
    expect(findType(text, 'NAME')).toEqual(['Walter Bishop', 'Bishop', 'BISHOP', 'Walter']);
  });
});

describe('initials', () => {
  test.each([
    ['Patient: John Smith. J.S. slept; at 10 P.M. J. S. woke.', ['John Smith', 'J.S.', 'J. S.']],
    ["Patient: Brown, Alice M., slept. A.B. is well, and AB's wife came.", ['Brown, Alice M.', 'A.B.', 'AB']],
    ['Patient: Mary Stone. MS was diagnosed in 2010, T.K. was not.', ['Mary Stone']],
    ['Patient: Paul Miller came at 10 P.M. today.', ['Paul Miller']],
  ])('%s', (text, expected) => expect(findType(text, 'NAME')).toEqual(expected));
});

test('letters of a state that are a degree too belong to nobody and no place', () =>
  expect(find('Signed by Dr. Michael Chen, MD. Assistant: Sarah Chen, MA')).toEqual(['NAME:Dr. Michael Chen', 'NAME:Sarah Chen']));

test.each([
  "Parkinson's disease, Crohn disease, Wilson's disease, Hodgkin lymphoma",
  'Foley catheter placed, Babinski negative, positive Murphy sign',
  "Barrett's oesophagus, Marfan syndrome, Down syndrome, Bell's palsy",
  'Mann-Whitney U test, Cox regression, Kaplan-Meier curves, Fisher exact test',
  'on Coumadin, Lasix, Zoloft, Eliquis and Humira',
  'African American male, Hispanic woman, speaks Spanish',
  'HISTORY OF PRESENT ILLNESS: Alert, oriented. HEENT: Normal.',
  'injections of hydrocortisone and Zelvisqua for two years',
  'read the Quorvald C at six metres; the Quorvald C is a chart',
  "I'm Catholic. Hemostasis was achieved.",
  'Mother is healthy. Father: hypertension. Sister with asthma.',
  'from El Salvador to South Carolina, then Sierra Leone, Burkina Faso and New Zealand',
  'the thai place, ordered \'soup\'; {"meta": 1, "ombCategory": 2}',
  'Patient will call. Mark the site. Rose bengal stain.',
])('left: %s', (text) => expect(find(text)).toEqual([]));
