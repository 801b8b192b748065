/** Who is who. */
import { expect, test } from 'vitest';
import { People } from '../../../../../server/privacy/deid/mapping/people.ts';

/** Groups of names that are one person's, in order of the names. */
function group(names: readonly string[]): number[] {
  const people = new People();
  people.meet(names);
  const seen = names.map((name) => people.personOf(name));
  return seen.map((person) => seen.indexOf(person));
}

test.each([
  [
    ['John Smith', 'Smith', 'SMITH, JOHN', 'Mr. Smith', 'J. Smith', 'john smith'],
    [0, 0, 0, 0, 0, 0],
  ],
  [
    ['Smith', 'John Smith'],
    [0, 0],
  ],
  [
    ['John A. Smith', 'John Smith', 'Smith'],
    [0, 0, 0],
  ],
  // Two Smiths: the last name alone is a third, because nothing says which.
  [
    ['John Smith', 'Mary Smith', 'Smith', 'Mary'],
    [0, 1, 2, 1],
  ],
  [
    ['John A. Smith', 'John B. Smith', 'John Smith'],
    [0, 1, 2],
  ],
  [
    ['John Smith', 'R. Smith'],
    [0, 1],
  ],
  [
    ['John Smith', 'Jane Doe', 'Doe', 'John'],
    [0, 1, 1, 0],
  ],
  [
    ['J. S.', 'John Smith', 'J.S.', 'JS', 'X.S.'],
    [0, 0, 0, 0, 4],
  ],
  [
    ['LEE, ANN', 'LEE', 'A.L.'],
    [0, 0, 0],
  ],
  // Two people begin so: nothing says which.
  [
    ['John Smith', 'Jane Stone', 'J.S.'],
    [0, 1, 2],
  ],
])('%j', (names, groups) => expect(group(names)).toEqual(groups));

test('a person who is met first by one name is found by a longer one later', () => {
  const people = new People();
  people.meet(['Smith']);
  const early = people.personOf('Smith');
  people.meet(['John Smith', 'Jane Doe']);
  expect(people.personOf('John Smith')).toBe(early);
  expect(people.personOf('Jane Doe')).not.toBe(early);
});

test('ten thousand names of one family do not take square time', () => {
  const people = new People();
  const begin = performance.now();
  people.meet(
    Array.from(
      { length: 10_000 },
      (_, index) => `${'abcdefghij'[index % 10]}${index.toString(26).replace(/\d/g, (digit) => 'klmnopqrst'[Number(digit)] ?? '')} Smith`,
    ),
  );
  expect(performance.now() - begin).toBeLessThan(5000);
});
