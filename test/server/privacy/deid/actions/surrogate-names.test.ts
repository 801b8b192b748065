/** Names that stand for names. */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { SurrogateNames } from '../../../../../server/privacy/deid/actions/surrogate-names.ts';
import { familyNames, femaleNames, maleNames } from '../../../../../server/privacy/deid/data/names.ts';

const free = (): boolean => false;

test('a word of a name is the same everywhere, in the case of the place', () => {
  const names = new SurrogateNames(randomInt);
  const [given, family] = (names.make('John Smith', free)?.text ?? '').split(' ');
  expect(names.make('Smith', free)?.text).toBe(family);
  expect(names.make('SMITH, JOHN', free)?.text).toBe(`${family?.toUpperCase()}, ${given?.toUpperCase()}`);
  expect(names.make('Mr. John Smith', free)?.text).toBe(`Mr. ${given} ${family}`);
  expect(familyNames).toContain(family);
});

test('given names suggest the gender that name or title did', () => {
  for (let draw = 0; draw < 30; draw += 1) {
    const names = new SurrogateNames(randomInt);
    const given = (name: string): string => names.make(name, free)?.words.find(({ original }) => name.includes(original))?.surrogate ?? '';
    expect(femaleNames).toContain(given('Maria Lopez'));
    expect(maleNames).toContain(given('James Lopez'));
    expect(femaleNames).toContain(given('Ms. Quibbly Xu'));
    expect(maleNames).toContain(given('Mr. Quobbly Xu'));
  }
});

test('two names never become one, words of the note are not used, and when none is left there is none', () => {
  const names = new SurrogateNames(randomInt);
  const taken = familyNames[0] as string;
  const drawn = Array.from(
    { length: familyNames.length - 1 },
    (_, index) => names.make(`Q${'abcdefghij'[index % 10]}${'klmnopqrstuvwxyzklmn'[Math.floor(index / 10)]}x`, (word) => word === taken.toLowerCase())?.text,
  );
  expect(new Set(drawn).size).toBe(familyNames.length - 1);
  expect(drawn).not.toContain(taken);
  expect(names.make('Another', (word) => word === taken.toLowerCase())).toBeUndefined();
});

test('lists have no name twice, none that is another in small letters, and only letters', () => {
  const all = [...familyNames, ...femaleNames, ...maleNames];
  expect(new Set(all.map((name) => name.toLowerCase())).size).toBe(all.length);
  for (const name of all) expect(name).toMatch(/^[A-Za-z]{3,}$/);
});
