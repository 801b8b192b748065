/** Setting a site up, once, for two people, and never beside an evaluation. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Agreement } from '../../../server/privacy/agreement.ts';
import { createSecret, isSecretOf, parseSecret } from '../../../server/privacy/keys.ts';
import type { Store } from '../../../server/privacy/store.ts';
import { baa, selfOperated, stored, synthetic, wrap } from '../privacy/records.ts';
import { TestSite } from '../site-folder.ts';

afterEach(() => vi.useRealTimers());

const init = ['site', 'init', '--name', 'st-marys', '--region', 'us-east', '--admin', 'anna', '--compliance', 'carl'];

test('store, policy, tenant, two people with identity files that only this user can read', async () => {
  using site = new TestSite();
  const before = Date.now();
  const { code, printed, complained } = await site.run('nobody', ...init);
  expect([code, complained]).toEqual([0, '']);
  const { policy, people, tenants, keys, agreements, trustedKeys } = await site.load();
  expect(policy).toEqual({ site: 'st-marys', region: 'us-east', signatures: 1 });
  expect(tenants.map((tenant) => tenant.code)).toEqual(['main']);
  expect([keys, agreements, trustedKeys]).toEqual([[], [], []]);
  expect(people.map(({ id, roles, createdBy }) => ({ id, roles, createdBy }))).toEqual([
    { id: 'anna', roles: ['admin'], createdBy: 'setup' },
    { id: 'carl', roles: ['compliance'], createdBy: 'setup' },
  ]);
  for (const { id, credential, createdAt, expiresAt } of people) {
    expect(createdAt).toBeGreaterThanOrEqual(before);
    expect(expiresAt).toBeUndefined();
    const path = site.identity(id);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const lines = readFileSync(path, 'utf8').split('\n');
    expect([lines.length, lines[1]]).toEqual([2, '']);
    const presented = parseSecret(lines[0] ?? '');
    expect(presented && isSecretOf(presented, credential)).toBe(true);
    expect(printed).toContain(`The identity of ${id} is in ${path}. Whoever has this file can act as ${id}: hand it over`);
  }
  expect(statSync(site.folder).mode & 0o777).toBe(0o700);
  expect(printed).not.toContain('inw_');
  expect(site.bytes().includes('inw_')).toBe(false);
});

test('--two-person', async () => {
  using site = new TestSite();
  await site.do('nobody', ...init, '--two-person');
  expect((await site.load()).policy?.signatures).toBe(2);
  expect(await site.do('anna', 'site', 'show')).toContain('two different keys sign');
});

test('--two-person: each of two people lets one key count, that of --trust included', async () => {
  using site = new TestSite();
  for (const name of ['a', 'b', 'c']) await site.do('nobody', 'agreement', 'keygen', '--out', `${name}.pem`, '--no-passphrase');
  await site.do('nobody', ...init, '--two-person', '--trust', 'a.pem.pub');
  expect(await site.run('carl', 'agreement', 'trust', 'b.pem.pub')).toMatchObject({
    code: 1,
    complained: expect.stringMatching(/^This site needs the signatures of two people, and carl has let ck-[0-9a-f]{16} count already: expected another /),
  });
  await site.do('carl', 'person', 'add', 'cora', '--roles', 'compliance', '--out', site.identity('cora'));
  await site.do('cora', 'agreement', 'trust', 'b.pem.pub');
  expect((await site.run('cora', 'agreement', 'trust', 'c.pem.pub')).complained).toMatch(/^This site needs the signatures of two people, and cora has/);
  expect((await site.load()).trustedKeys.map(({ addedBy }) => addedBy)).toEqual(['carl', 'cora']);
  using other = new TestSite();
  for (const name of ['a', 'b']) await other.do('nobody', 'agreement', 'keygen', '--out', `${name}.pem`, '--no-passphrase');
  await other.do('nobody', ...init, '--trust', 'a.pem.pub');
  await other.do('carl', 'agreement', 'trust', 'b.pem.pub');
});

describe('refused', () => {
  test('a second time, by whatever name', async () => {
    using site = await TestSite.create();
    const before = site.bytes();
    for (const args of [
      init,
      [...init.slice(0, 2), '--name', 'other', '--region', 'us-west', '--admin', 'eve', '--compliance', 'mallory', '--end-evaluation'],
    ]) {
      const { code, printed, complained } = await site.run('nobody', ...args);
      expect([code, printed, complained]).toEqual([1, '', `${site.folder} is set up already, as st-marys in us-east: name another folder with --site.\n`]);
    }
    expect(site.bytes().equals(before)).toBe(true);
    expect(existsSync(site.identity('eve'))).toBe(false);
  });

  test.each([
    [['--compliance', 'anna'], /^anna cannot be admin and compliance at once: name two people\./],
    [['--name', 'St. Marys'], /Expected a code of small letters/],
    [['--region', 'US'], /Expected a region/],
    [['--admin', 'Dr. Anna'], /Expected an id of small letters/],
  ])('%j', async (more, sentence) => {
    using site = new TestSite();
    const { code, complained } = await site.run('nobody', ...init, ...more);
    expect(code).toBe(2);
    expect(complained).toMatch(sentence);
    expect(existsSync(site.folder)).toBe(false);
  });

  test('a name is missing', async () => {
    using site = new TestSite();
    for (const left of ['--name', '--region', '--admin', '--compliance']) {
      const at = init.indexOf(left);
      expect((await site.run('nobody', ...init.toSpliced(at, 2))).code).toBe(2);
    }
  });

  test('where a file has the name of an identity: nothing is kept, and it works once the file is gone', async () => {
    using site = new TestSite();
    await site.change(async () => undefined);
    writeFileSync(site.identity('carl'), 'something else');
    const { code, complained } = await site.run('nobody', ...init);
    expect(code).toBe(1);
    expect(complained).toMatch(/carl.identity is there already and is not overwritten/);
    expect(existsSync(site.identity('anna'))).toBe(false);
    expect(readFileSync(site.identity('carl'), 'utf8')).toBe('something else');
    expect(await site.load()).toMatchObject({ policy: undefined, people: [], tenants: [] });
    rmSync(site.identity('carl'));
    await site.do('nobody', ...init);
  });

  test('a set-up that was cut off', async () => {
    using site = new TestSite();
    await site.change((store) =>
      store.addPerson({ id: 'anna', roles: ['admin'], credential: createSecret('person').credential, createdAt: 1, createdBy: 'setup' }),
    );
    const { code, complained } = await site.run('nobody', ...init);
    expect([code, complained]).toEqual([
      1,
      `A set-up in ${site.folder} was cut off: move ${site.path} away, and the identity files beside it, and set the site up anew.\n`,
    ]);
  });

  test('a clock that is behind what the store has seen', async () => {
    using site = new TestSite();
    await site.change((store) => store.keepClock(Date.now() + 3_600_000));
    expect((await site.run('nobody', ...init)).complained).toMatch(/^The clock of this machine says .*, and the site has already seen .*: set the clock right/);
  });
});

describe('an evaluation in the folder', () => {
  const key = createSecret('synthetic');

  async function evaluate(store: Store): Promise<void> {
    await store.addTenant({ code: 'main' }, 'setup', Date.now());
    await store.addRecord(stored(wrap(synthetic)));
    const scopes = { models: [], routes: ['chat'], purposes: ['evaluation'], networks: ['127.0.0.1'], priority: 'interactive' } as const;
    const { id, credential } = key;
    await store.addKey({ id, label: 'evaluation', tenant: 'main', data: 'synthetic', scopes, credential, isSealed: false, createdAt: 1, createdBy: 'setup' });
  }

  test('is in the way until it is ended', async () => {
    using site = new TestSite();
    await site.change(evaluate);
    const before = await site.load();
    expect((await site.run('nobody', ...init)).complained).toMatch(/^This folder holds an evaluation, which cannot go on beside PHI: add --end-evaluation/);
    expect(await site.load()).toEqual(before);
    expect(existsSync(site.identity('anna'))).toBe(false);
    await site.do('nobody', ...init, '--end-evaluation');
    const { policy, keys, agreements, tenants } = await site.load();
    expect(policy?.site).toBe('st-marys');
    expect(tenants).toHaveLength(1);
    expect(keys.map(({ revokedBy, revokedAt }) => [revokedBy, (revokedAt ?? Number.POSITIVE_INFINITY) <= Date.now()])).toEqual([['setup', true]]);
    expect(agreements.map(({ revokedBy, revokedAt }) => [revokedBy, (revokedAt ?? Number.POSITIVE_INFINITY) <= Date.now()])).toEqual([['setup', true]]);
    // The way for PHI is free now.
    await site.do('anna', 'key', 'create', '--label', 'scribe', '--purposes', 'documentation');
  });

  test('goes on where the files cannot be written', async () => {
    using site = new TestSite();
    await site.change(evaluate);
    writeFileSync(site.identity('carl'), 'something else');
    expect((await site.run('nobody', ...init, '--end-evaluation')).complained).toMatch(/is there already and is not overwritten/);
    const { keys, agreements } = await site.load();
    expect([keys[0]?.revokedAt, agreements[0]?.revokedAt]).toEqual([undefined, undefined]);
    expect(existsSync(site.identity('anna'))).toBe(false);
  });

  test('one that was revoked already is not', async () => {
    using site = new TestSite();
    await site.change(async (store) => {
      await evaluate(store);
      await store.revokeAgreement(synthetic.id, 'setup', 5);
      await store.revokeKey(key.id, 'setup', 5);
    });
    await site.do('nobody', ...init);
  });

  test('nobody can be known in it, so that nothing can be administered', async () => {
    using site = new TestSite();
    await site.change(evaluate);
    writeFileSync(site.identity('anna'), createSecret('person').text, { mode: 0o600 });
    expect(await site.run('anna', 'key', 'list')).toEqual({
      code: 1,
      printed: '',
      complained: 'This site has not been set up yet, so that nobody can be known here: inward site init\n',
    });
  });
});

describe('show', () => {
  test('policy, agreements with their states, manifest, counts', async () => {
    using site = await TestSite.create();
    expect(await site.do('anna', 'site', 'show')).toMatch(/agreement +none: nothing is served\nmanifest +none\n/);
    await site.change(async (store) => {
      const add = (changes: Partial<Agreement>): Promise<void> => store.addRecord(stored(wrap({ ...baa, ...changes })));
      await add({ id: 'agr-00000001', effective: '2025-01-01T00:00:00Z', expires: '2026-01-01T00:00:00Z' });
      await add({ id: 'agr-00000002', effective: '2026-01-01T00:00:00Z', expires: '2026-12-01T00:00:00Z' });
      await add({ id: 'agr-00000003', effective: '2026-12-01T00:00:00Z', expires: '2027-12-01T00:00:00Z' });
      await store.addRecord(stored(wrap({ ...selfOperated, id: 'agr-00000004' }), 5));
      await store.addRecord({
        envelope: { type: 'inward.manifest.v1', record: { id: 'mf-00000001', agreement: 'agr-00000002' }, signatures: [] },
        addedAt: 1,
        addedBy: 'carl',
      });
    });
    const { id } = await site.json<{ id: string }>('anna', 'key', 'create', '--label', 'a', '--purposes', 'coding');
    await site.do('anna', 'key', 'revoke', id);
    await site.do('anna', 'key', 'create', '--label', 'b', '--purposes', 'coding');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-30T00:00:00Z') });
    const shown = await site.json<Record<string, unknown>>('carl', 'site', 'show');
    expect(shown).toMatchObject({ site: 'st-marys', region: 'us-east', signatures: 1, folder: site.folder, trustedKeys: 0, keys: 1, people: 2, tenants: 1 });
    expect(shown['manifest']).toEqual({ id: 'mf-00000001', agreement: 'agr-00000002' });
    expect((shown['agreements'] as { id: string; state: string }[]).map(({ id, state }) => [id, state])).toEqual([
      ['agr-00000001', 'expired'],
      ['agr-00000002', 'in-force'],
      ['agr-00000003', 'not-begun'],
      ['agr-00000004', 'revoked'],
    ]);
    const text = await site.do('carl', 'site', 'show');
    expect(text).toMatch(/^agreement +agr-00000002 baa, from 2026-01-01 00:00 UTC to 2026-12-01 00:00 UTC: in-force$/m);
    expect(text).toMatch(/^manifest +mf-00000001, for agr-00000002$/m);
  });
});

test('a store in another folder than the current one is named by a relative path too', async () => {
  using site = await TestSite.create();
  expect(await site.do('anna', 'site', 'show', '--site', 'site')).toContain(join(site.home, 'site'));
});
