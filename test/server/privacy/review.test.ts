/** What an access review shows and finds. */
import { expect, test } from 'vitest';
import type { AccessKey, Person } from '../../../server/privacy/grants.ts';
import { createSecret } from '../../../server/privacy/keys.ts';
import { createReview, describeKey, type Finding } from '../../../server/privacy/review.ts';
import type { Snapshot } from '../../../server/privacy/store.ts';

const now = Date.parse('2027-06-01T00:00:00Z');
const dayMs = 86_400_000;

/** One in which nothing stands out. */
function createKey(more: Partial<AccessKey> = {}, scopes: Partial<AccessKey['scopes']> = {}): AccessKey {
  const { id, credential } = createSecret('phi');
  return {
    ...{ id, label: 'scribe', tenant: 'main', data: 'phi', credential, isSealed: false },
    scopes: { models: ['qwen'], routes: ['chat'], purposes: ['coding'], networks: ['10.0.0.0/8'], priority: 'batch', tokensPerDay: 5, ...scopes },
    ...{ createdAt: now - 30 * dayMs, createdBy: 'anna', expiresAt: now + 30 * dayMs, ...more },
  };
}

function createPerson(more: Partial<Person> = {}): Person {
  return { id: 'anna', roles: ['admin'], credential: createSecret('person').credential, createdAt: 1, createdBy: 'setup', ...more };
}

function createSnapshot(keys: readonly AccessKey[], people: readonly Person[] = [], tenants: Snapshot['tenants'] = [{ code: 'main', number: 1 }]): Snapshot {
  return {
    ...{ version: 1, policy: { site: 'st-marys', region: 'us-east', signatures: 1 }, agreements: [], manifest: undefined, clock: 0 },
    ...{ trustedKeys: [{ id: 'ck-0123456789abcdef', pem: 'PEM', addedAt: 5, addedBy: 'carl' }], tenants, keys, people },
  };
}

const findKey = (key: AccessKey, tenants?: Snapshot['tenants']): readonly Finding[] =>
  createReview(createSnapshot([key], [], tenants), now).keys[0]?.findings ?? [];

test.each<[Partial<AccessKey>, Partial<AccessKey['scopes']>, readonly Finding[]]>([
  [{}, {}, []],
  [{ expiresAt: now }, {}, ['expired-not-revoked']],
  [{ expiresAt: now, revokedAt: now, revokedBy: 'anna' }, {}, []],
  [{ expiresAt: now + 1 }, {}, []],
  [{ expiresAt: undefined }, {}, ['no-expiry']],
  [{ createdAt: now, expiresAt: now + 365 * dayMs }, {}, []],
  [{ createdAt: now, expiresAt: now + 365 * dayMs + 1 }, {}, ['late-expiry']],
  [{ createdAt: now - 365 * dayMs, expiresAt: now + 1 }, {}, ['late-expiry']],
  [{ createdAt: now - 365 * dayMs - 1, expiresAt: undefined }, {}, ['no-expiry', 'older-than-a-year']],
  [{ isSealed: true }, {}, ['sealed-unused']],
  [{ isSealed: true, openedAt: now }, {}, ['break-glass-used']],
  [{ isSealed: true, openedAt: 5 }, { networks: [], models: [] }, ['break-glass-used']],
  [{ isSealed: true, openedAt: 5, revokedAt: now, revokedBy: 'anna' }, {}, []],
  [{}, { networks: [] }, ['no-network-limit']],
  [{}, { models: [] }, ['every-model']],
  [{}, { tokensPerDay: undefined }, ['no-token-limit']],
  [{}, { tokensPerDay: undefined, tokensPerMinute: 5 }, []],
  [{ data: 'synthetic' }, { networks: [], models: [], tokensPerDay: undefined }, []],
  [{ revokedAt: now + 1, revokedBy: 'anna' }, { networks: [] }, ['no-network-limit']],
])('a key with %j and scopes %j', (more, scopes, expected) => expect(findKey(createKey(more, scopes))).toEqual(expected));

test('quotas of the tenant limit its keys too', () => {
  const key = createKey({}, { tokensPerDay: undefined });
  expect(findKey(key, [{ code: 'main', number: 1, tokensPerDay: 5 }])).toEqual([]);
  expect(findKey(key, [{ code: 'other', number: 1, tokensPerDay: 5 }])).toEqual(['no-token-limit']);
});

test.each<[Partial<Person>, readonly Finding[]]>([
  [{}, []],
  [{ expiresAt: now }, ['expired-not-revoked']],
  [{ roles: ['admin', 'viewer', 'auditor'] }, ['roles-in-conflict']],
  [{ roles: ['admin', 'auditor'], revokedAt: now, revokedBy: 'bert' }, []],
])('a person with %j', (more, expected) => expect(createReview(createSnapshot([], [createPerson(more)]), now).people[0]?.findings).toEqual(expected));

test('who, what, from whom, until when; no salt and no hash', () => {
  const hours = { days: [1, 2, 3], from: '07:00', to: '19:00', timeZone: 'UTC' };
  const [key, person] = [
    createKey({ replaces: '0123456789' }, { hours }),
    createPerson({ credential: { type: 'token', issuer: 'https://id', subject: 'anna' } }),
  ];
  const review = createReview(createSnapshot([key], [person]), now);
  expect(review).toMatchObject({ at: '2027-06-01T00:00:00.000Z', site: 'st-marys', region: 'us-east' });
  expect(review.trustedKeys).toEqual([{ id: 'ck-0123456789abcdef', addedAt: '1970-01-01T00:00:00.005Z', addedBy: 'carl' }]);
  expect(review.people).toEqual([
    {
      id: 'anna',
      roles: ['admin'],
      state: 'valid',
      knownBy: 'token',
      token: 'https://id anna',
      createdAt: '1970-01-01T00:00:00.001Z',
      createdBy: 'setup',
      findings: [],
    },
  ]);
  expect(review.keys).toEqual([
    {
      ...{
        id: key.id,
        label: 'scribe',
        tenant: 'main',
        data: 'phi',
        isSealed: false,
        state: 'valid',
        knownBy: 'secret',
        createdBy: 'anna',
        replaces: '0123456789',
      },
      ...{ createdAt: '2027-05-02T00:00:00.000Z', expiresAt: '2027-07-01T00:00:00.000Z', findings: [] },
      scopes: {
        models: ['qwen'],
        routes: ['chat'],
        purposes: ['coding'],
        networks: ['10.0.0.0/8'],
        priority: 'batch',
        tokensPerDay: 5,
        hours: 'mon-wed 07:00-19:00 UTC',
      },
    },
  ]);
  if (key.credential.type !== 'secret') throw new Error('no secret');
  for (const text of [JSON.stringify(review), JSON.stringify(describeKey(key, now))])
    for (const hidden of [key.credential.salt, key.credential.hash]) expect(text).not.toContain(hidden);
});
