/** Keys of programs: what they are given, how their secrets get out, how they end. */
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createSecret, isSecretOf, parseSecret } from '../../../server/privacy/keys.ts';
import type { KeyEntry } from '../../../server/privacy/review.ts';
import { breakGlassMs } from '../../../server/privacy/states.ts';
import { baa, stored, synthetic, wrap } from '../privacy/records.ts';
import { findSecret, TestSite } from '../site-folder.ts';

const dayMs = 86_400_000;
const minimal = ['key', 'create', '--label', 'scribe', '--purposes', 'documentation'];
const certificates = join(import.meta.dirname, '../../fixtures/certificates');

let template: TestSite;
beforeAll(async () => {
  template = await TestSite.create();
});
afterAll(() => template[Symbol.dispose]());
afterEach(() => vi.useRealTimers());

const freeze = (time: string): unknown => vi.useFakeTimers({ toFake: ['Date'], now: Date.parse(time) });

describe('create', () => {
  test('what is not said is as narrow as it can be without being in the way', async () => {
    using site = template.copy();
    const before = Date.now();
    const printed = await site.do('anna', ...minimal);
    const [key] = (await site.load()).keys;
    expect(key).toMatchObject({
      ...{ label: 'scribe', tenant: 'main', data: 'phi', isSealed: false, createdBy: 'anna' },
      scopes: { models: [], routes: ['chat', 'completions', 'models'], purposes: ['documentation'], networks: [], priority: 'interactive', shape: 'paced' },
    });
    expect(Object.keys(key?.scopes ?? {}).sort()).toEqual(['models', 'networks', 'priority', 'purposes', 'routes', 'shape']);
    expect((key?.expiresAt ?? 0) - (key?.createdAt ?? 0)).toBe(365 * dayMs);
    expect(key?.createdAt).toBeGreaterThanOrEqual(before);
    const presented = parseSecret(findSecret(printed));
    expect(presented).toMatchObject({ kind: 'phi', id: key?.id });
    expect(presented && isSecretOf(presented, key?.credential)).toBe(true);
  });

  test('what is done with identifiers: one mode for all purposes, others for some, and none that is not of the key', async () => {
    using site = template.copy();
    const create = (modes: string): Promise<string> =>
      site.do('anna', 'key', 'create', '--label', 'scribe', '--purposes', 'documentation,messaging,coding', '--deid', modes);
    await create('deidentify+restore');
    await create('messaging=block, report, coding=off');
    const [same, mixed] = (await site.load()).keys
      .map(({ scopes }) => scopes.deid)
      .sort((a, b) => Number(a?.messaging === 'block') - Number(b?.messaging === 'block'));
    expect(same).toEqual({ documentation: 'deidentify+restore', messaging: 'deidentify+restore', coding: 'deidentify+restore' });
    expect(mixed).toEqual({ documentation: 'report', messaging: 'block', coding: 'off' });
    expect(await site.do('anna', 'key', 'list')).toContain('messaging: block');
    for (const modes of ['shred', 'messaging=shred', 'unknown=block', 'quality=block', '']) await expect(create(modes)).rejects.toThrow();
  });

  test('every scope', async () => {
    using site = template.copy();
    await site.do('anna', 'tenant', 'add', 'cardiology');
    freeze('2026-11-25T12:00:00Z');
    const scopes = [
      '--models',
      'qwen,meta/llama-3.1:8b',
      '--routes',
      'chat,metrics',
      '--networks',
      '10.1.0.0/16,2001:db8::/32',
      '--hours',
      'mon-fri 07:00-19:00 America/Chicago',
    ];
    const limits = [
      '--tokens-per-minute',
      '1000',
      '--tokens-per-day',
      '20000',
      '--priority',
      'batch',
      '--region',
      'us-east',
      '--shape',
      'plain',
      '--expires',
      '2027-01-31',
    ];
    await site.do('anna', 'key', 'create', '--label', 'coder', '--tenant', 'cardiology', '--purposes', 'coding,messaging', ...scopes, ...limits);
    expect((await site.load()).keys[0]).toMatchObject({
      ...{ tenant: 'cardiology', expiresAt: Date.parse('2027-01-31T00:00:00Z'), createdAt: Date.parse('2026-11-25T12:00:00Z') },
      scopes: {
        ...{
          models: ['qwen', 'meta/llama-3.1:8b'],
          routes: ['chat', 'metrics'],
          purposes: ['coding', 'messaging'],
          networks: ['10.1.0.0/16', '2001:db8::/32'],
        },
        hours: { days: [1, 2, 3, 4, 5], from: '07:00', to: '19:00', timeZone: 'America/Chicago' },
        ...{ tokensPerMinute: 1000, tokensPerDay: 20_000, priority: 'batch', region: 'us-east', shape: 'plain' },
      },
    });
  });

  test.each([
    [[]],
    [['--label', 'a']],
    [['--purposes', 'coding']],
    [['--label', 'A b', '--purposes', 'coding']],
    [['--label', 'a', '--purposes', 'research']],
    [['--label', 'a', '--purposes', 'coding,coding']],
    [['--label', 'a', '--purposes', 'evaluation']],
    [['--label', 'a', '--purposes', 'coding', '--routes', 'admin']],
    [['--label', 'a', '--purposes', 'coding', '--routes', '']],
    [['--label', 'a', '--purposes', 'coding', '--networks', '10.0.0.0/40']],
    [['--label', 'a', '--purposes', 'coding', '--hours', 'always']],
    [['--label', 'a', '--purposes', 'coding', '--tokens-per-day', '0']],
    [['--label', 'a', '--purposes', 'coding', '--priority', 'urgent']],
    [['--label', 'a', '--purposes', 'coding', '--shape', 'round']],
    [['--label', 'a', '--purposes', 'coding', '--expires', '366d']],
    [['--label', 'a', '--purposes', 'coding', '--expires', '2020-01-01']],
    [['--label', 'a', '--purposes', 'coding', '--token-issuer', 'https://id']],
    [['--label', 'a', '--purposes', 'coding', '--out', 'x', '--certificate', 'c.pem']],
    [['--label', 'a', '--purposes', 'coding', 'argument']],
  ])('%j cannot be used', async (args) => {
    using site = template.copy();
    const { code, printed, complained } = await site.run('anna', 'key', 'create', ...args);
    expect([code, printed]).toEqual([2, '']);
    expect(complained).not.toBe('');
    expect((await site.load()).keys).toEqual([]);
  });

  test.each([
    [['--tenant', 'nowhere'], 'There is no tenant nowhere; expected one of: main; add it first (inward tenant add nowhere).'],
    [['--region', 'us-west'], 'A key for region us-west would never be taken here: this site is in us-east.'],
  ])('%j is refused', async (more, sentence) => {
    using site = template.copy();
    expect(await site.run('anna', ...minimal, ...more)).toEqual({ code: 1, printed: '', complained: `${sentence}\n` });
    expect((await site.load()).keys).toEqual([]);
  });

  test('not while the clock is behind what the site has seen', async () => {
    using site = template.copy();
    await site.change((store) => store.keepClock(Date.now() + 60_000));
    expect((await site.run('anna', ...minimal)).complained).toMatch(/^The clock of this machine says .* set the clock right .*inward store reset-clock/);
    expect((await site.load()).keys).toEqual([]);
  });
});

describe('a secret', () => {
  test('is shown once, alone on the last line, and is nowhere in the store', async () => {
    using site = template.copy();
    const printed = await site.do('anna', ...minimal);
    const secret = findSecret(printed);
    expect(printed.split(secret)).toEqual([expect.stringMatching(/shown this once and kept nowhere/), '\n']);
    expect(printed.split('\n').at(-2)).toBe(secret);
    const [, id, text] = /^inw_phi_(.{10})(.{52})/.exec(secret) ?? [];
    for (const part of [secret, text ?? '']) expect(site.bytes().includes(part)).toBe(false);
    // That what is looked for would be found: the id is there.
    expect(site.bytes().includes(id ?? '')).toBe(true);
    for (const args of [
      ['key', 'list'],
      ['key', 'list', '--json'],
      ['site', 'show'],
    ])
      expect(await site.do('anna', ...args)).not.toContain(text);
  });

  test('goes to a file that only this user can read, and then is not shown', async () => {
    using site = template.copy();
    for (const more of [
      ['--out', 'a.key'],
      ['--out', 'b.key', '--json'],
    ]) {
      const printed = await site.do('anna', ...minimal, ...more);
      const path = join(site.home, more[1] ?? '');
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const text = readFileSync(path, 'utf8');
      expect(parseSecret(text.trim())?.kind).toBe('phi');
      expect(text).toBe(`${text.trim()}\n`);
      expect(printed).not.toMatch(/inw_/);
      expect(printed).toContain(path);
    }
  });

  test('--json has it once, and no hash', async () => {
    using site = template.copy();
    const shown = await site.json<KeyEntry & { readonly secret: string }>('anna', ...minimal);
    const [key] = (await site.load()).keys;
    expect(parseSecret(shown.secret)?.id).toBe(key?.id);
    expect(shown).toMatchObject({ id: key?.id, label: 'scribe', state: 'valid', knownBy: 'secret' });
    if (key?.credential.type !== 'secret') throw new Error('no secret');
    expect(JSON.stringify(shown)).not.toContain(key.credential.hash);
    expect(JSON.stringify(shown)).not.toContain(key.credential.salt);
  });

  test('that the store did not keep is in no file', async () => {
    using site = template.copy();
    writeFileSync(join(site.home, 'there'), 'something else');
    expect((await site.run('anna', ...minimal, '--out', 'there')).complained).toMatch(/is there already and is not overwritten/);
    expect(readFileSync(join(site.home, 'there'), 'utf8')).toBe('something else');
    expect((await site.run('anna', ...minimal, '--tenant', 'nowhere', '--out', 'x.key')).code).toBe(1);
    expect(existsSync(join(site.home, 'x.key'))).toBe(false);
    expect((await site.run('anna', ...minimal, '--out', 'no/folder/x.key')).code).toBe(1);
    expect((await site.load()).keys).toEqual([]);
  });

  test('differs every time', async () => {
    using site = template.copy();
    const secrets = [await site.do('anna', ...minimal), await site.do('anna', ...minimal)].map(findSecret);
    expect(new Set(secrets).size).toBe(2);
  });
});

describe('known otherwise', () => {
  test('by a token', async () => {
    using site = template.copy();
    const token = ['--token-issuer', 'https://id.example.org', '--token-subject', 'service-7'];
    const printed = await site.do('anna', ...minimal, ...token);
    expect(printed).toMatch(/^The key \S{10} \(scribe\) of tenant main is made; .*\nIts holder is known by the token; there is no secret\.\n$/);
    const { keys } = await site.load();
    expect(keys[0]?.credential).toEqual({ type: 'token', issuer: 'https://id.example.org', subject: 'service-7' });
    expect((await site.run('anna', ...minimal, ...token)).complained).toMatch(/^This token already stands for the key/);
    expect((await site.run('anna', 'key', 'rotate', keys[0]?.id ?? '')).complained).toMatch(/is known by a token, so that there is no secret to rotate/);
    await site.do('anna', 'key', 'revoke', keys[0]?.id ?? '');
    await site.do('anna', ...minimal, ...token);
  });

  test('by a certificate, of which the fingerprint is kept', async () => {
    using site = template.copy();
    copyFileSync(join(certificates, 'client.crt'), join(site.home, 'client.pem'));
    const shown = await site.json<KeyEntry & { readonly secret?: string }>('anna', ...minimal, '--certificate', 'client.pem');
    expect(shown.knownBy).toBe('certificate');
    expect(shown.secret).toBeUndefined();
    // openssl x509 -in client.crt -noout -fingerprint -sha256
    expect((await site.load()).keys[0]?.credential).toEqual({
      type: 'certificate',
      fingerprint: '09ea088735b04f725783e1e8a984f57eb4f8232c74a0dc6ee0d4755d582eb192',
    });
    expect((await site.run('anna', 'person', 'add', 'eve', '--roles', 'viewer', '--certificate', 'client.pem')).complained).toMatch(
      /^This certificate already stands for the key/,
    );
  });

  test.each([
    ['authority.crt', /is the certificate of an authority; expected that of the client itself/],
    ['client-expired.crt', /^The certificate in .* expired on 2021-01-01/],
    ['nothing.crt', /cannot be used: expected a readable file, found nothing/],
    ['junk.crt', /is no certificate: expected one in PEM form/],
    ['long.crt', /expected at most 65536 bytes/],
  ])('not by %s', async (name, sentence) => {
    using site = template.copy();
    writeFileSync(join(site.home, 'junk.crt'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    writeFileSync(join(site.home, 'long.crt'), 'x'.repeat(65_537));
    if (existsSync(join(certificates, name))) copyFileSync(join(certificates, name), join(site.home, name));
    const { code, complained } = await site.run('anna', ...minimal, '--certificate', name);
    expect(code).toBe(1);
    expect(complained).toMatch(sentence);
    expect((await site.load()).keys).toEqual([]);
  });
});

describe('synthetic data', () => {
  const trial = ['key', 'create', '--label', 'trial', '--synthetic'];

  test('has a purpose of its own and a secret that says so', async () => {
    using site = template.copy();
    expect(parseSecret(findSecret(await site.do('anna', ...trial)))?.kind).toBe('synthetic');
    expect((await site.load()).keys[0]).toMatchObject({ data: 'synthetic', scopes: { purposes: ['evaluation'], shape: 'plain' } });
  });

  test('is never beside keys for PHI', async () => {
    using site = template.copy();
    await site.do('anna', ...trial);
    for (const args of [minimal, ['key', 'seal', '--label', 'emergency']])
      expect((await site.run('anna', ...args)).complained).toMatch(
        /^A key for PHI cannot be beside the key .{10}, which is for synthetic data: revoke that first/,
      );
    const [key] = (await site.load()).keys;
    await site.do('anna', 'key', 'revoke', key?.id ?? '');
    await site.do('anna', ...minimal);
    expect((await site.run('anna', ...trial)).complained).toMatch(/^A key for synthetic data cannot be beside the key .{10}, which is for PHI/);
    expect((await site.load()).keys).toHaveLength(2);
  });

  test('nor beside an agreement of the other class, also by rotation', async () => {
    using site = template.copy();
    freeze('2026-12-01T00:00:00Z');
    const { id } = await site.json<{ id: string }>('anna', ...minimal);
    await site.change((store) => store.addRecord(stored(wrap(synthetic))));
    for (const args of [minimal, ['key', 'rotate', id]])
      expect((await site.run('anna', ...args)).complained).toMatch(/^A key for PHI cannot be beside the agreement agr-00000003/);
    await site.change((store) => store.revokeAgreement('agr-00000003', 'carl', Date.now()));
    await site.do('anna', 'key', 'rotate', id);
    using other = template.copy();
    await other.change((store) => store.addRecord(stored(wrap(baa))));
    expect((await other.run('anna', ...trial)).complained).toMatch(/^A key for synthetic data cannot be beside the agreement agr-00000002, which is for PHI/);
    await other.do('anna', ...minimal);
  });
});

describe('list', () => {
  test('nothing yet', async () => expect(await template.do('carl', 'key', 'list')).toBe('There are no keys yet (inward key create).\n'));

  test('scopes in short, and the state of each', async () => {
    using site = template.copy();
    freeze('2026-11-25T12:00:00Z');
    const scopes = [
      '--networks',
      '10.1.0.0/16',
      '--hours',
      'mon-fri 07:00-19:00 UTC',
      '--tokens-per-minute',
      '9',
      '--tokens-per-day',
      '90',
      '--priority',
      'batch',
      '--region',
      'us-east',
    ];
    await site.do('anna', ...minimal, '--models', 'qwen', '--expires', '1d', ...scopes);
    // Those of one moment come in the order of their ids.
    vi.setSystemTime(Date.parse('2026-11-25T12:00:01Z'));
    await site.do('anna', 'key', 'seal', '--label', 'emergency');
    const [first] = (await site.load()).keys;
    const table = await site.do('carl', 'key', 'list');
    expect(table).toMatch(
      /^.{10} +scribe +main +phi +documentation +2026-11-26 12:00 UTC +valid +anna +chat,completions,models; qwen; from 10\.1\.0\.0\/16; mon-fri 07:00-19:00 UTC; 9 tokens\/minute; 90 tokens\/day; batch; in us-east; paced$/m,
    );
    expect(table).toMatch(/^.{10} +emergency +main +phi +emergency +2027-11-25 12:00 UTC +sealed +anna +break-glass; chat,completions,models; paced$/m);
    freeze('2026-11-26T12:00:00Z');
    const keys = await site.json<KeyEntry[]>('carl', 'key', 'list');
    expect(keys.map(({ label, state }) => [label, state])).toEqual([
      ['scribe', 'expired'],
      ['emergency', 'sealed'],
    ]);
    expect(keys[0]?.id).toBe(first?.id);
    expect(keys[0]?.scopes.hours).toBe('mon-fri 07:00-19:00 UTC');
    for (const { credential } of (await site.load()).keys)
      for (const hidden of credential.type === 'secret' ? [credential.salt, credential.hash] : [])
        for (const text of [JSON.stringify(keys), table]) expect(text).not.toContain(hidden);
  });
});

describe('revoke', () => {
  test('at once, with who did it, and once', async () => {
    using site = template.copy();
    const { id } = await site.json<{ id: string }>('anna', ...minimal);
    const before = Date.now();
    expect(await site.do('carl', 'key', 'revoke', id)).toBe(`The key ${id} is revoked.\n`);
    const [key] = (await site.load()).keys;
    expect(key?.revokedBy).toBe('carl');
    expect(key?.revokedAt).toBeGreaterThanOrEqual(before);
    expect(key?.revokedAt).toBeLessThanOrEqual(Date.now());
    expect((await site.json<KeyEntry[]>('carl', 'key', 'list'))[0]).toMatchObject({ state: 'revoked', revokedBy: 'carl' });
    expect((await site.run('anna', 'key', 'revoke', id)).complained).toMatch(new RegExp(`^The key ${id} has been revoked already`));
  });

  test('also while the clock is behind: nobody waits for that', async () => {
    using site = template.copy();
    const { id } = await site.json<{ id: string }>('anna', ...minimal);
    await site.change((store) => store.keepClock(Date.now() + 3_600_000));
    await site.do('anna', 'key', 'revoke', id);
    expect((await site.load()).keys[0]?.revokedAt).toBeLessThanOrEqual(Date.now());
  });

  test('with the clock ahead: the site has seen that time, so that nothing is served before the key is gone for good', async () => {
    using site = template.copy();
    const { id } = await site.json<{ id: string }>('anna', ...minimal);
    const now = Date.now();
    freeze(new Date(now + 40 * dayMs).toISOString());
    await site.do('anna', 'key', 'revoke', id);
    vi.setSystemTime(now);
    expect((await site.load()).clock).toBe(now + 40 * dayMs);
    await site.do('anna', 'store', 'reset-clock');
    expect((await site.load()).keys[0]?.revokedAt).toBe(now);
  });

  test('one that is not there, and what is no id; a secret is not repeated', async () => {
    using site = template.copy();
    expect(await site.run('anna', 'key', 'revoke', '0123456789')).toMatchObject({ code: 1, complained: 'There is no key 0123456789 in this store.\n' });
    expect((await site.run('anna', 'key', 'revoke', 'scribe')).code).toBe(2);
    const { text } = createSecret('phi');
    for (const args of [['key', 'revoke', text], ['key', 'list', '--identity', text], [text], ['key', 'list', `--${text}`]]) {
      const { code, printed, complained } = await site.run('anna', ...args);
      expect([code === 0, printed]).toEqual([false, '']);
      expect(complained).toMatch(/inw_\.\.\./);
      expect(complained).not.toContain(text.slice(8, 20));
    }
  });
});

describe('rotate', () => {
  test('same scopes, new secret, the old one for another day', async () => {
    using site = template.copy();
    freeze('2026-11-25T12:00:00Z');
    const old = findSecret(await site.do('anna', ...minimal, '--networks', '10.1.0.0/16', '--expires', '90d'));
    freeze('2027-01-01T00:00:00Z');
    const ran = await site.run('anna', 'key', 'rotate', parseSecret(old)?.id ?? '');
    expect(ran.code).toBe(0);
    const fresh = findSecret(ran.printed);
    const [before, after] = (await site.load()).keys;
    expect(before).toMatchObject({ id: parseSecret(old)?.id, revokedAt: Date.parse('2027-01-02T00:00:00Z'), revokedBy: 'anna' });
    expect(after).toMatchObject({ id: parseSecret(fresh)?.id, replaces: before?.id, label: 'scribe', createdBy: 'anna', scopes: before?.scopes });
    expect(after?.id).not.toBe(before?.id);
    // As long as the old one was given.
    expect(after?.expiresAt).toBe(Date.parse('2027-04-01T00:00:00Z'));
    expect((await site.load()).clock).toBe(Date.parse('2027-01-01T00:00:00Z'));
    expect(ran.complained).toBe(`The old key ${before?.id} is taken until 2027-01-02 00:00 UTC.\n`);
    expect((await site.json<KeyEntry[]>('anna', 'key', 'list')).map(({ state }) => state)).toEqual(['ending', 'valid']);
    expect((await site.run('anna', 'key', 'rotate', before?.id ?? '')).complained).toMatch(/is being rotated already/);
    // A leak does not wait for the overlap.
    await site.do('anna', 'key', 'revoke', before?.id ?? '');
    expect((await site.load()).keys[0]?.revokedAt).toBe(Date.parse('2027-01-01T00:00:00Z'));
  });

  test('--overlap, --expires, --out', async () => {
    using site = template.copy();
    freeze('2027-01-01T00:00:00Z');
    const { id } = await site.json<{ id: string }>('anna', ...minimal);
    vi.setSystemTime(Date.parse('2027-06-01T00:00:00Z'));
    const shown = await site.json<KeyEntry & { file: string; secret?: string }>(
      'anna',
      'key',
      'rotate',
      id,
      '--overlap',
      '0m',
      '--expires',
      '30d',
      '--out',
      'new.key',
    );
    expect(shown).toMatchObject({ replaces: id, expiresAt: '2027-07-01T00:00:00.000Z', file: join(site.home, 'new.key') });
    expect(shown.secret).toBeUndefined();
    expect(parseSecret(readFileSync(join(site.home, 'new.key'), 'utf8').trim())?.id).toBe(shown.id);
    expect((await site.load()).keys[0]?.revokedAt).toBe(Date.parse('2027-06-01T00:00:00Z'));
    expect((await site.run('anna', 'key', 'rotate', id)).complained).toMatch(/is revoked; make a new one/);
  });

  test('what is over, sealed, or not there', async () => {
    using site = template.copy();
    freeze('2026-11-25T12:00:00Z');
    const { id } = await site.json<{ id: string }>('anna', ...minimal, '--expires', '1d');
    const sealed = await site.json<{ id: string }>('anna', 'key', 'seal', '--label', 'emergency');
    freeze('2026-11-26T12:00:00Z');
    expect((await site.run('anna', 'key', 'rotate', id)).complained).toBe(`The key ${id} is expired; make a new one (inward key create).\n`);
    expect((await site.run('anna', 'key', 'rotate', sealed.id)).complained).toMatch(/is a break-glass key: seal a new one/);
    expect((await site.run('anna', 'key', 'rotate', '0123456789')).complained).toMatch(/^There is no key 0123456789/);
    expect((await site.run('anna', 'key', 'rotate', id, '--overlap', '31d')).code).toBe(2);
    expect((await site.load()).keys).toHaveLength(2);
  });
});

describe('seal', () => {
  test('a break-glass key, with words on how to keep it and what its use does', async () => {
    using site = template.copy();
    const printed = await site.do('anna', 'key', 'seal', '--label', 'emergency', '--routes', 'chat', '--models', 'qwen');
    const secret = findSecret(printed);
    const [key] = (await site.load()).keys;
    expect(parseSecret(secret)).toMatchObject({ kind: 'sealed', id: key?.id });
    expect(key).toMatchObject({ isSealed: true, data: 'phi', scopes: { routes: ['chat'], models: ['qwen'], networks: [], shape: 'paced' } });
    for (const word of ['envelope', 'seal and sign', 'two people', "server's terminal", 'header', 'access review', '4 hours after its first use'])
      expect(printed).toContain(word);
    expect(printed.split('\n').at(-2)).toBe(secret);
    expect(site.bytes().includes(secret)).toBe(false);
  });

  test('opened, then spent', async () => {
    using site = template.copy();
    freeze('2026-11-25T12:00:00Z');
    const { id } = await site.json<{ id: string }>('anna', 'key', 'seal', '--label', 'emergency');
    await site.change((store) => store.openKey(id, Date.now()));
    const state = async (): Promise<string | undefined> => (await site.json<KeyEntry[]>('anna', 'key', 'list'))[0]?.state;
    expect(await state()).toBe('open');
    vi.setSystemTime(Date.parse('2026-11-25T12:00:00Z') + breakGlassMs);
    expect(await state()).toBe('spent');
  });

  test.each([['--purposes', 'coding'], ['--networks', '10.0.0.0/8'], ['--hours', 'mon 07:00-08:00 UTC'], ['--tokens-per-day', '5'], ['--synthetic']])(
    '%s binds no such key',
    async (...args) => {
      expect((await template.run('anna', 'key', 'seal', '--label', 'emergency', ...args)).code).toBe(2);
    },
  );
});
