/** Who a person is, what he may do, and who may not leave. */
import { describe, expect, test } from 'vitest';
import type { AccessKey, Credential, Person } from '../../../server/privacy/grants.ts';
import { createSecret } from '../../../server/privacy/keys.ts';
import { checkLeaving, checkPermission, checkRoles, checkUnused, findPerson, identify, may } from '../../../server/privacy/people.ts';
import { type Permission, permissions, type Role } from '../../../server/privacy/words.ts';

const now = Date.parse('2027-01-04T12:00:00Z');
const [anna, bert] = [createSecret('person'), createSecret('person')];

function person(id: string, roles: readonly Role[], credential: Credential, more: Partial<Person> = {}): Person {
  return { id, roles, credential, createdAt: 0, createdBy: 'setup', ...more };
}

const people = [person('anna', ['admin'], anna.credential), person('bert', ['operator', 'viewer'], bert.credential)];

describe('identity', () => {
  test('the secret says who it is', () => {
    expect(identify(anna.text, { people }, now).id).toBe('anna');
    expect(identify(bert.text, { people }, now).id).toBe('bert');
  });

  test('a secret of a person of the same first letters, and another kind of secret', () => {
    const twin = createSecret('person', anna.id);
    expect(findPerson(twin.text, people, now)).toEqual({ flaw: 'unknown' });
    const key = createSecret('phi');
    expect(findPerson(key.text, [person('carl', ['viewer'], key.credential)], now)).toEqual({ flaw: 'no-secret' });
  });

  test.each(['', 'inw_person_', anna.text.slice(0, -1), `${anna.text} `, anna.text.toUpperCase(), `x${anna.text}`])('"%s" is no secret', (text) => {
    expect(findPerson(text, people, now)).toEqual({ flaw: 'no-secret' });
    expect(() => identify(text, { people }, now)).toThrow(/^This is no identity: expected one line that begins with inw_person_/);
  });

  test('who is known by a token or a certificate has no secret', () => {
    const others = [
      person('tom', ['admin'], { type: 'token', issuer: 'https://id', subject: 'tom' }),
      person('cora', ['admin'], { type: 'certificate', fingerprint: '0'.repeat(64) }),
    ];
    expect(findPerson(anna.text, others, now)).toEqual({ flaw: 'unknown' });
    expect(() => identify(anna.text, { people: others }, now)).toThrow(/^This identity is not one of this site/);
  });

  test('revoked, expired, and the moments before', () => {
    const at = (more: Partial<Person>): Person[] => [person('anna', ['admin'], anna.credential, more)];
    expect(findPerson(anna.text, at({ revokedAt: now, revokedBy: 'bert' }), now).flaw).toBe('revoked');
    expect(findPerson(anna.text, at({ revokedAt: now + 1, revokedBy: 'bert' }), now).flaw).toBe('revoked');
    expect(findPerson(anna.text, at({ expiresAt: now }), now).flaw).toBe('expired');
    expect(findPerson(anna.text, at({ expiresAt: now + 1 }), now).flaw).toBeUndefined();
    expect(() => identify(anna.text, { people: at({ revokedAt: 1, revokedBy: 'bert' }) }, now)).toThrow(/^The person anna has been revoked/);
    expect(() => identify(anna.text, { people: at({ expiresAt: 1 }) }, now)).toThrow(/^The identity of anna has expired/);
  });
});

describe('permissions', () => {
  const granted: Readonly<Record<Role, readonly Permission[]>> = {
    admin: [
      'key.write',
      'key.revoke',
      'key.read',
      'person.write',
      'person.read',
      'tenant.write',
      'store.write',
      'agreement.read',
      'metrics.read',
      'status.read',
    ],
    compliance: [
      'agreement.write',
      'agreement.read',
      'manifest.write',
      'key.revoke',
      'key.read',
      'person.read',
      'review.read',
      'status.read',
      'audit.read',
      'audit.write',
    ],
    operator: ['key.revoke', 'key.read', 'agreement.read', 'metrics.read', 'status.read'],
    auditor: ['key.read', 'person.read', 'agreement.read', 'metrics.read', 'status.read', 'review.read', 'audit.read'],
    viewer: ['agreement.read', 'status.read'],
  };

  test.each(Object.entries(granted) as [Role, readonly Permission[]][])('%s', (role, expected) => {
    expect(permissions.filter((permission) => may({ roles: [role] }, permission))).toEqual(permissions.filter((permission) => expected.includes(permission)));
  });

  test('of several roles one is enough, of none nothing', () => {
    expect(may({ roles: ['viewer', 'admin'] }, 'key.write')).toBe(true);
    expect(may({ roles: ['viewer', 'operator'] }, 'key.write')).toBe(false);
    expect(permissions.some((permission) => may({ roles: [] }, permission))).toBe(false);
  });

  test('the refusal names who, what, which roles would do, and which are there', () => {
    expect(() => checkPermission({ id: 'bert', roles: ['operator', 'viewer'] }, 'key.write')).toThrow(
      'bert may not do this: it needs key.write, which the role admin gives; found operator, viewer.',
    );
    expect(() => checkPermission({ id: 'bert', roles: ['operator'] }, 'key.revoke')).not.toThrow();
  });
});

test.each<[Role, Role, boolean]>([
  ['admin', 'compliance', true],
  ['compliance', 'admin', true],
  ['admin', 'auditor', true],
  ['operator', 'compliance', true],
  ['auditor', 'operator', true],
  ['admin', 'operator', false],
  ['admin', 'viewer', false],
  ['compliance', 'auditor', false],
  ['operator', 'viewer', false],
])('%s and %s together are refused: %s', (one, other, isConflict) => {
  if (isConflict) expect(() => checkRoles(['viewer', one, other])).toThrow(/^Nobody is \w+ and \w+ at once \(separation of duties\)/);
  else expect(() => checkRoles([one, other])).not.toThrow();
});

describe('leaving', () => {
  const staff = [
    person('anna', ['admin'], anna.credential),
    person('carl', ['compliance'], bert.credential),
    person('olaf', ['operator'], createSecret('person').credential),
  ];
  const second = (more: Partial<Person> = {}): Person => person('adam', ['admin', 'operator'], createSecret('person').credential, more);

  test('the last admin and the last compliance person stay', () => {
    expect(() => checkLeaving('anna', staff)).toThrow(/^anna is the last admin with an identity file/);
    expect(() => checkLeaving('carl', staff)).toThrow(/^carl is the last compliance with an identity file/);
    expect(() => checkLeaving('olaf', staff)).not.toThrow();
    expect(() => checkLeaving('nobody', staff)).not.toThrow();
  });

  test('with another one they may leave, if that one counts', () => {
    expect(() => checkLeaving('anna', [...staff, second()])).not.toThrow();
    for (const more of [
      { revokedAt: 1, revokedBy: 'anna' },
      { revokedAt: now + 1, revokedBy: 'anna' },
      { expiresAt: now + 1 },
      { credential: { type: 'token', issuer: 'https://id', subject: 'adam' } },
    ] as const)
      expect(() => checkLeaving('anna', [...staff, second(more)])).toThrow(/^anna is the last admin/);
  });
});

test('a token or a certificate stands for one holder', () => {
  const token: Credential = { type: 'token', issuer: 'https://id', subject: 'tom' };
  const certificate: Credential = { type: 'certificate', fingerprint: '0'.repeat(64) };
  const key = { id: 'k'.repeat(10), credential: certificate } as AccessKey;
  const site = { keys: [key], people: [person('tom', ['viewer'], token)] };
  expect(() => checkUnused(token, site)).toThrow('This token already stands for the person tom: revoke that first, or take another token.');
  expect(() => checkUnused(certificate, site)).toThrow(
    'This certificate already stands for the key kkkkkkkkkk: revoke that first, or take another certificate.',
  );
  expect(() => checkUnused({ ...token, subject: 'tim' }, site)).not.toThrow();
  expect(() => checkUnused({ ...token, issuer: 'https://other' }, site)).not.toThrow();
  const gone = { keys: [{ ...key, revokedAt: 1 }], people: [person('tom', ['viewer'], token, { revokedAt: 1, revokedBy: 'anna' })] };
  for (const credential of [token, certificate]) expect(() => checkUnused(credential, gone)).not.toThrow();
  // Secrets differ by themselves.
  expect(() => checkUnused(anna.credential, { keys: [], people })).not.toThrow();
});
