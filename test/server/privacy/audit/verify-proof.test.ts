/** Proofs of another implementation: each holds, and with any part of it changed it does not. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hashHere, verifyProof } from '../../../../server/privacy/audit/verify.mjs';
import { fixtures, readFixture, trusted } from './logs.ts';

type Json = string | number | Json[] | { [field: string]: Json };

const names = readdirSync(join(fixtures, 'proofs'));
const readProof = (name: string): { [field: string]: Json } => JSON.parse(readFixture(`proofs/${name}`));
const optionsOf = (name: string): { keys?: readonly string[] } => trusted(name === 'after-purge.json' ? 'purged' : 'plain');

/** The first key is known from outside in these tests, so that a proof may be without its record. */
const isCreatedAlone = (value: Json): boolean => typeof value === 'object' && Object.keys(value).join() === 'created';

/** All values that differ from this one in one place: text and numbers changed, what lists and objects hold left out or doubled. */
function* listChanges(value: Json, place = ''): Generator<readonly [string, Json]> {
  if (typeof value === 'number') yield* [value - 1, value + 1, value + 0.5].map((changed) => [place, changed] as const);
  else if (typeof value === 'string') {
    for (let i = 0; i < value.length; i += 5) yield [`${place}[${i}]`, value.slice(0, i) + (value[i] === 'A' ? 'B' : 'A') + value.slice(i + 1)];
    yield* [value.slice(1), value.slice(0, -1), `${value}\n`, ` ${value}`].map((changed) => [place, changed] as const);
  } else if (Array.isArray(value)) {
    for (const [i, entry] of value.entries()) {
      if (!isCreatedAlone(entry)) yield [`${place}[${i}] left out`, value.toSpliced(i, 1)];
      yield [`${place}[${i}] twice`, value.toSpliced(i, 0, entry)];
      for (const [where, changed] of listChanges(entry, `${place}[${i}]`)) yield [where, value.with(i, changed)];
    }
  } else {
    for (const [field, entry] of Object.entries(value)) {
      const { [field]: _, ...others } = value;
      if (field !== 'created') yield [`${place}.${field} left out`, others];
      yield [`${place}.${field} of another name`, { ...others, [`${field}s`]: entry }];
      for (const [where, changed] of listChanges(entry, `${place}.${field}`)) yield [where, { ...value, [field]: changed }];
    }
  }
}

test.each(names)('%s holds', async (name) => {
  const report = await verifyProof(readProof(name), optionsOf(name));
  expect(report).toMatchObject({ flaws: [], flawCount: 0, unchecked: [], kind: readProof(name)['kind'] });
});

test.each(names)('%s with anything changed does not hold', async (name) => {
  const wrong: string[] = [];
  let count = 0;
  for (const [place, changed] of listChanges(readProof(name))) {
    count++;
    const report = await verifyProof(changed, optionsOf(name));
    if (report.flaws.length === 0) wrong.push(place);
  }
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(200);
});

test('a proof says what was not checked; behind a purge it needs the first key', async () => {
  expect((await verifyProof(readProof('consistency.json'))).unchecked).toHaveLength(1);
  expect((await verifyProof(readProof('after-purge.json'))).flaws).toEqual([expect.objectContaining({ code: 'key', file: 'chain[0].checkpoint' })]);
});

test.each([undefined, null, [], 'text', {}, { type: 'inward.audit.proof.v1', kind: 'toString' }])('what is no proof is one flaw: %o', async (value) => {
  expect((await verifyProof(value)).flaws).toEqual([expect.objectContaining({ code: 'proof', file: 'type' })]);
});

// The tree's own vectors, those of certificate transparency among them, hold the maker to account, and the maker this verifier.
test('the leaves of certificate transparency have the leaf hashes of RFC 6962', () => {
  const { leaves, roots }: { leaves: string[]; roots: string[] } = JSON.parse(readFixture('vectors.json'))['certificate_transparency'];
  expect(roots.at(-1)).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  expect(Buffer.from(hashHere(Buffer.from(`00${leaves[0]}`, 'hex'))).toString('hex')).toBe(roots[0]);
});
