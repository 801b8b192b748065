/** People of a site: adding, renewing, revoking, and who may not leave. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PersonEntry } from '../../../server/privacy/review.ts';
import { TestSite } from '../site-folder.ts';

let template: TestSite;
beforeAll(async () => {
  template = await TestSite.create();
});
afterAll(() => template[Symbol.dispose]());

test('an identity file in the current folder, which says who it is', async () => {
  using site = template.copy();
  const printed = await site.do('anna', 'person', 'add', 'm.jones', '--roles', 'operator,viewer');
  const path = join(site.home, 'm.jones.identity');
  expect(printed).toBe(
    `m.jones is added with the roles operator, viewer.\nThe identity of m.jones is in ${path}. Whoever has this file can act as m.jones: hand it over in person or over a safe way, and keep no copy.\n`,
  );
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect((await site.load()).people.find(({ id }) => id === 'm.jones')).toMatchObject({ roles: ['operator', 'viewer'], createdBy: 'anna' });
  expect(await site.run('nobody', 'key', 'list', '--identity', path)).toMatchObject({ code: 0 });
  const secret = readFileSync(path, 'utf8').trim();
  for (const part of [secret, secret.slice(21, 73)]) expect(site.bytes().includes(part)).toBe(false);
});

test('a time that ends by itself', async () => {
  using site = template.copy();
  const before = Date.now();
  expect(await site.do('anna', 'person', 'add', 'temp', '--roles', 'viewer', '--expires', '90d')).toMatch(
    /^temp is added with the role viewer, until \d{4}-\d\d-\d\d \d\d:\d\d UTC\.\n/,
  );
  const end = (await site.load()).people.find(({ id }) => id === 'temp')?.expiresAt ?? 0;
  expect(end - before).toBeGreaterThanOrEqual(90 * 86_400_000);
  expect(end - Date.now()).toBeLessThanOrEqual(90 * 86_400_000);
});

test.each([
  ['admin,compliance', 'Nobody is admin and compliance at once (separation of duties): give one of the two roles to somebody else.'],
  ['auditor,admin', 'Nobody is admin and auditor at once (separation of duties): give one of the two roles to somebody else.'],
  ['viewer,operator,compliance', 'Nobody is operator and compliance at once (separation of duties): give one of the two roles to somebody else.'],
])('the roles %s are refused', async (roles, sentence) => {
  using site = template.copy();
  expect(await site.run('anna', 'person', 'add', 'eve', '--roles', roles)).toEqual({ code: 1, printed: '', complained: `${sentence}\n` });
  expect(existsSync(join(site.home, 'eve.identity'))).toBe(false);
  expect((await site.load()).people).toHaveLength(2);
});

test.each([
  [['person', 'add', 'eve']],
  [['person', 'add', 'eve', '--roles', 'root']],
  [['person', 'add', 'eve', '--roles', '']],
  [['person', 'add', 'eve', '--roles', 'viewer,viewer']],
  [['person', 'add', 'E', '--roles', 'viewer']],
  [['person', 'add', 'eve', '--roles', 'viewer', '--expires', 'never']],
  [['person', 'add', 'eve', '--roles', 'viewer', '--token-issuer', 'https://id']],
  [['person', 'add', 'eve', '--roles', 'viewer', '--token-subject', 'eve']],
  [['person', 'add', 'eve', '--roles', 'viewer', '--token-issuer', 'https://id', '--token-subject', 'eve', '--out', 'x']],
  [['person', 'add', 'eve', '--roles', 'viewer', '--certificate', 'c.pem', '--out', 'x']],
  [['person', 'add', 'eve', '--roles', 'viewer', '--certificate', 'c.pem', '--token-issuer', 'https://id']],
])('%j cannot be used', async (args) => {
  using site = template.copy();
  expect((await site.run('anna', ...args)).code).toBe(2);
  expect((await site.load()).people).toHaveLength(2);
});

test('an id is never used twice, and a file is never overwritten', async () => {
  using site = template.copy();
  expect(await site.run('anna', 'person', 'add', 'carl', '--roles', 'viewer', '--out', 'new.identity')).toMatchObject({
    code: 1,
    complained: 'There is a person carl in this store already: ids are never used twice.\n',
  });
  // What was written for nothing is gone.
  expect(existsSync(join(site.home, 'new.identity'))).toBe(false);
  writeFileSync(join(site.home, 'there'), 'something else');
  expect((await site.run('anna', 'person', 'add', 'eve', '--roles', 'viewer', '--out', 'there')).complained).toMatch(
    /there is there already and is not overwritten/,
  );
  expect(readFileSync(join(site.home, 'there'), 'utf8')).toBe('something else');
  expect((await site.load()).people).toHaveLength(2);
});

test('known by a token: no file, and nobody else by the same', async () => {
  using site = template.copy();
  const token = ['--token-issuer', 'https://id.example.org', '--token-subject', 'k.lee'];
  expect(await site.do('anna', 'person', 'add', 'k.lee', '--roles', 'viewer', ...token)).toBe(
    'k.lee is added with the role viewer.\nk.lee is known by the token; there is no identity file.\n',
  );
  expect(existsSync(join(site.home, 'k.lee.identity'))).toBe(false);
  expect((await site.load()).people.at(-1)?.credential).toEqual({ type: 'token', issuer: 'https://id.example.org', subject: 'k.lee' });
  expect((await site.run('anna', 'person', 'add', 'other', '--roles', 'viewer', ...token)).complained).toMatch(
    /^This token already stands for the person k.lee/,
  );
  expect((await site.run('anna', 'key', 'create', '--label', 'a', '--purposes', 'coding', ...token)).complained).toMatch(
    /^This token already stands for the person k.lee/,
  );
  expect((await site.run('anna', 'person', 'renew', 'k.lee')).complained).toBe('k.lee is known by a token and has no identity file; there is none to renew.\n');
});

test('list, as a table and as JSON, without hashes', async () => {
  using site = template.copy();
  await site.do('anna', 'person', 'add', 'temp', '--roles', 'operator', '--expires', '1d');
  await site.do('anna', 'person', 'revoke', 'temp');
  const people = await site.json<PersonEntry[]>('carl', 'person', 'list');
  expect(people.map(({ id, roles, state, knownBy, createdBy, revokedBy }) => ({ id, roles, state, knownBy, createdBy, revokedBy }))).toEqual([
    { id: 'anna', roles: ['admin'], state: 'valid', knownBy: 'secret', createdBy: 'setup' },
    { id: 'carl', roles: ['compliance'], state: 'valid', knownBy: 'secret', createdBy: 'setup' },
    { id: 'temp', roles: ['operator'], state: 'revoked', knownBy: 'secret', createdBy: 'anna', revokedBy: 'anna' },
  ]);
  const table = await site.do('carl', 'person', 'list');
  expect(table).toMatch(/^temp +operator +revoked +secret /m);
  for (const { credential } of (await site.load()).people)
    for (const hidden of credential.type === 'secret' ? [credential.salt, credential.hash] : [])
      for (const text of [JSON.stringify(people), table]) expect(text).not.toContain(hidden);
});

test('renew: the new file counts, the old one no more', async () => {
  using site = template.copy();
  const old = site.identity('carl');
  await site.do('carl', 'key', 'list');
  expect(await site.do('carl', 'person', 'renew', 'carl')).toMatch(
    /^The old identity of carl counts no more\.\nThe identity of carl is in .*carl\.identity\. /,
  );
  expect(await site.run('carl', 'key', 'list')).toMatchObject({ code: 1, complained: expect.stringMatching(/^This identity is not one of this site/) });
  expect(await site.run('nobody', 'key', 'list', '--identity', 'carl.identity')).toMatchObject({ code: 0 });
  expect(existsSync(old)).toBe(true);
  // Also for oneself.
  await site.do('anna', 'person', 'renew', 'anna');
  expect((await site.run('anna', 'key', 'list')).code).toBe(1);
  expect(await site.run('nobody', 'key', 'list', '--identity', 'anna.identity')).toMatchObject({ code: 0 });
});

test('renew refuses who is not there and whose time is over; the old file goes on', async () => {
  using site = template.copy();
  expect((await site.run('anna', 'person', 'renew', 'eve')).complained).toBe('There is no person eve; inward person list shows those of this site.\n');
  await site.do('anna', 'person', 'add', 'temp', '--roles', 'viewer');
  await site.do('anna', 'person', 'revoke', 'temp');
  expect((await site.run('anna', 'person', 'renew', 'temp', '--out', 'x')).complained).toMatch(/^The time of temp is over/);
  expect((await site.run('carl', 'person', 'renew', 'carl', '--out', 'temp.identity')).complained).toMatch(/is there already and is not overwritten/);
  await site.do('carl', 'key', 'list');
});

test('the last admin and the last compliance person cannot be revoked, not even by themselves', async () => {
  using site = template.copy();
  expect((await site.run('anna', 'person', 'revoke', 'anna')).complained).toBe(
    'anna is the last admin with an identity file and without an end, and a site cannot be without one: add another admin first.\n',
  );
  expect((await site.run('anna', 'person', 'revoke', 'carl')).complained).toMatch(/^carl is the last compliance with an identity file/);
  await site.do('anna', 'person', 'add', 'adam', '--roles', 'admin', '--token-issuer', 'https://id', '--token-subject', 'adam');
  expect((await site.run('anna', 'person', 'revoke', 'anna')).complained).toMatch(/^anna is the last admin/);
  await site.do('anna', 'person', 'add', 'ada', '--roles', 'admin', '--out', site.identity('ada'));
  expect(await site.do('anna', 'person', 'revoke', 'anna')).toBe('anna is revoked.\n');
  expect((await site.run('anna', 'person', 'revoke', 'ada')).complained).toMatch(/^The person anna has been revoked/);
  expect((await site.run('ada', 'person', 'revoke', 'ada')).complained).toMatch(/^ada is the last admin/);
  expect((await site.load()).people.map(({ id, revokedBy }) => [id, revokedBy])).toEqual([
    ['anna', 'anna'],
    ['carl', undefined],
    ['adam', undefined],
    ['ada', undefined],
  ]);
});

test('revoke refuses who is not there, and twice', async () => {
  using site = template.copy();
  expect((await site.run('anna', 'person', 'revoke', 'eve')).complained).toMatch(/^There is no person eve/);
  await site.do('anna', 'person', 'add', 'temp', '--roles', 'viewer');
  await site.do('anna', 'person', 'revoke', 'temp');
  expect(await site.run('anna', 'person', 'revoke', 'temp')).toMatchObject({
    code: 1,
    complained: expect.stringMatching(/^The person temp has been revoked already/),
  });
});
