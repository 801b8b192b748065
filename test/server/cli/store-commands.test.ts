/** Backup, restore, check and clock of the store, as an administrator meets them. */
import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { SiteError } from '../../../server/privacy/errors.ts';
import { Edit } from '../../../server/privacy/store/edit.ts';
import { baa, stored, wrap } from '../privacy/records.ts';
import { writeFirstVersion } from '../privacy/site.ts';
import { type Ran, TestSite } from '../site-folder.ts';

let template: TestSite;
let key = '';
beforeAll(async () => {
  template = await TestSite.create();
  ({ id: key } = await template.json<{ id: string }>('anna', 'key', 'create', '--label', 'scribe', '--purposes', 'documentation'));
  await template.do('anna', 'person', 'add', 'olaf', '--roles', 'operator', '--out', template.identity('olaf'));
});
afterAll(() => template[Symbol.dispose]());
afterEach(() => vi.useRealTimers());

const freeze = (time: number): unknown => vi.useFakeTimers({ toFake: ['Date'], now: time });

function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 4096, 12_288);
  writeFileSync(path, bytes);
}

test('backup and check say what is there', async () => {
  using site = template.copy();
  const path = join(site.home, 'backup.sqlite');
  expect(await site.do('anna', 'store', 'backup', 'backup.sqlite')).toBe(
    `The backup ${path} is whole: 1 key, 3 people, 1 tenant, 0 agreements, 0 manifests.\n`,
  );
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await site.do('anna', 'store', 'check')).toBe('The store is whole: 1 key, 3 people, 1 tenant, 0 agreements, 0 manifests.\n');
  expect((await site.run('anna', 'store', 'backup', 'backup.sqlite')).complained).toMatch(/is there already/);
  damage(site.path);
  expect(await site.run('anna', 'store', 'check')).toMatchObject({
    code: 1,
    printed: '',
    complained: expect.stringMatching(/ is damaged: .*restore a backup\.\n$/),
  });
});

describe('restore', () => {
  test('what was revoked since stays revoked, what was made since is revoked, the old store is kept', async () => {
    using site = template.copy();
    await site.do('anna', 'store', 'backup', 'backup.sqlite');
    await site.do('anna', 'key', 'revoke', key);
    await site.do('anna', 'tenant', 'add', 'cardiology');
    const late = await site.json<{ id: string }>('anna', 'key', 'create', '--label', 'late', '--purposes', 'documentation');
    const printed = await site.do('anna', 'store', 'restore', 'backup.sqlite');
    expect(printed).toBe(
      [
        `${join(site.home, 'backup.sqlite')} is restored: 2 keys, 3 people, 2 tenants, 0 agreements, 0 manifests.`,
        `The store as it was is kept as ${site.path}.before-restore.`,
        '1 of them have been revoked since the backup and stay revoked.',
        'Made since the backup and revoked now: 1 key, 0 people.',
        '',
      ].join('\n'),
    );
    const { keys, tenants } = await site.load();
    expect(keys.map(({ revokedBy }) => revokedBy)).toEqual(['anna', 'anna']);
    expect(keys.map(({ id }) => id)).toContain(late.id);
    expect(tenants.map(({ code }) => code)).toEqual(['main', 'cardiology']);
  });

  test('the present store says who may: a role that has been lost since does not come back with the backup', async () => {
    using site = template.copy();
    await site.do('anna', 'person', 'add', 'ada', '--roles', 'admin', '--out', site.identity('ada'));
    await site.do('ada', 'store', 'backup', 'backup.sqlite');
    await site.do('anna', 'person', 'revoke', 'ada');
    const before = await site.load();
    expect(await site.run('ada', 'store', 'restore', 'backup.sqlite')).toMatchObject({
      code: 1,
      complained: expect.stringMatching(/^The person ada has been revoked/),
    });
    expect(await site.load()).toEqual(before);
  });

  test('where the store is lost, the backup says who may', async () => {
    using site = template.copy();
    await site.do('anna', 'store', 'backup', 'backup.sqlite');
    rmSync(site.path);
    for (const [who, sentence] of [
      ['olaf', /^olaf may not do this: it needs store\.write/],
      ['carl', /^carl may not do this/],
      ['nobody', /found nothing/],
    ] as const) {
      const { code, complained } = await site.run(who, 'store', 'restore', 'backup.sqlite');
      expect(code).toBe(1);
      expect(complained).toMatch(sentence);
      expect(existsSync(site.path)).toBe(false);
    }
    const printed = await site.do('anna', 'store', 'restore', 'backup.sqlite');
    expect(printed).toMatch(/^Nothing is known of what was revoked after the backup: revoke it again/m);
    expect((await site.load()).keys.map(({ id }) => id)).toEqual([key]);
    await site.do('anna', 'key', 'list');
  });

  test('also from a backup of the version before, which says who may', async () => {
    using site = template.copy();
    await site.do('anna', 'store', 'backup', 'new.sqlite');
    const [backup, moved] = [join(site.home, 'backup.sqlite'), join(site.home, 'moved')];
    writeFirstVersion(join(site.home, 'new.sqlite'), backup);
    const bytes = readFileSync(backup);
    const restore = (who: string): Promise<Ran> => site.run('nobody', 'store', 'restore', 'backup.sqlite', '--site', moved, '--identity', site.identity(who));
    expect(await restore('olaf')).toMatchObject({ code: 1, complained: expect.stringMatching(/^olaf may not do this: it needs store\.write/) });
    expect(readdirSync(moved)).toEqual([]);
    expect(await restore('anna')).toMatchObject({ code: 0, printed: expect.stringMatching(/is restored: 1 key, 3 people/) });
    expect(readFileSync(backup).equals(bytes)).toBe(true);
  });

  test('over a damaged store only with leave to replace it, and by an admin of the backup', async () => {
    using site = template.copy();
    await site.do('anna', 'store', 'backup', 'backup.sqlite');
    damage(site.path);
    const damaged = readFileSync(site.path);
    expect((await site.run('anna', 'store', 'restore', 'backup.sqlite')).complained).toMatch(/is damaged, so what was revoked after the backup is not known/);
    expect((await site.run('olaf', 'store', 'restore', 'backup.sqlite', '--replace-damaged')).complained).toMatch(/^olaf may not do this/);
    expect(readFileSync(site.path).equals(damaged)).toBe(true);
    await site.do('anna', 'store', 'restore', 'backup.sqlite', '--replace-damaged');
    expect((await site.load()).keys.map(({ id }) => id)).toEqual([key]);
    expect(readFileSync(`${site.path}.before-restore`).equals(damaged)).toBe(true);
  });

  test('over a store in which nobody can be known, as an evaluation leaves it, the backup says who may', async () => {
    using site = template.copy();
    await site.do('anna', 'store', 'backup', 'backup.sqlite');
    rmSync(site.path);
    await site.change((store) => store.addTenant({ code: 'trial' }, 'setup', Date.now()));
    expect((await site.run('olaf', 'store', 'restore', 'backup.sqlite')).complained).toMatch(/^olaf may not do this/);
    await site.do('anna', 'store', 'restore', 'backup.sqlite');
    const { policy, tenants } = await site.load();
    expect(policy?.site).toBe('st-marys');
    expect(tenants.map(({ code }) => code)).toEqual(['trial', 'main']);
  });

  test('into a new folder', async () => {
    using site = template.copy();
    await site.do('anna', 'store', 'backup', 'backup.sqlite');
    const identity = site.identity('anna');
    await site.do('anna', 'store', 'restore', 'backup.sqlite', '--site', 'moved', '--identity', identity);
    expect(await site.do('anna', 'key', 'list', '--site', 'moved', '--identity', identity)).toContain(key);
  });

  test.each([
    ['nothing', (path: string) => rmSync(path)],
    ['something else', (path: string) => writeFileSync(path, 'something else', { mode: 0o600 })],
    ['an empty file', (path: string) => writeFileSync(path, '', { mode: 0o600 })],
    ['one that is damaged', (path: string) => damage(path)],
    ['one that was cut', (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 20_000))],
    ['one that others may write', (path: string) => chmodSync(path, 0o666)],
  ])('from %s: refused, with and without a store', async (_, prepare) => {
    using site = template.copy();
    const path = join(site.home, 'backup.sqlite');
    await site.do('anna', 'store', 'backup', 'backup.sqlite');
    prepare(path);
    const kept = readFileSync(site.path);
    for (const isThere of [true, false]) {
      if (!isThere) rmSync(site.path);
      const { code, printed, complained } = await site.run('anna', 'store', 'restore', 'backup.sqlite');
      expect([code, printed]).toEqual([1, '']);
      expect(complained.trim().split('\n')).toHaveLength(1);
      expect(complained).not.toMatch(/internal|inward has a bug/i);
      if (isThere) expect(readFileSync(site.path).equals(kept)).toBe(true);
      else expect(existsSync(site.path)).toBe(false);
    }
  });

  test('a copy of a store in use is no backup', async () => {
    using site = template.copy();
    copyFileSync(site.path, join(site.home, 'copy.sqlite'));
    writeFileSync(join(site.home, 'copy.sqlite-wal'), 'x', { mode: 0o600 });
    expect((await site.run('anna', 'store', 'restore', 'copy.sqlite')).complained).toMatch(/is a store in use and no backup/);
  });
});

describe('reset-clock', () => {
  const now = Date.parse('2027-01-01T00:00:00Z');
  const hour = 3_600_000;

  test('nothing to do where the clock is not ahead', async () => {
    using site = template.copy();
    await site.change((store) => store.keepClock(5));
    expect(await site.do('anna', 'store', 'reset-clock')).toMatch(
      /^The latest time of the site, 1970-01-01 00:00 UTC, is not ahead of this machine's clock: nothing is changed\./,
    );
    expect((await site.load()).clock).toBe(5);
  });

  test('what was revoked at a time that was wrong counts at once; the old key of a rotation goes on', async () => {
    using site = template.copy();
    freeze(now - 48 * hour);
    const create = async (): Promise<string> => (await site.json<{ id: string }>('anna', 'key', 'create', '--label', 'a', '--purposes', 'coding')).id;
    const [rotated, revoked] = [await create(), await create()];
    await site.do('anna', 'person', 'add', 'temp', '--roles', 'viewer');
    await site.change((store) => store.addRecord(stored(wrap(baa))));
    vi.setSystemTime(now - hour);
    await site.do('anna', 'key', 'rotate', rotated);
    // Somebody sets the clock a year ahead.
    vi.setSystemTime(now + 365 * 24 * hour);
    await site.do('anna', 'key', 'revoke', revoked);
    const early = await create();
    await site.do('anna', 'person', 'revoke', 'temp');
    await site.change(async (store) => {
      await store.revokeAgreement(baa.id, 'carl', Date.now());
      await store.keepClock(Date.now());
    });
    vi.setSystemTime(now);
    const printed = await site.do('anna', 'store', 'reset-clock');
    expect(printed).toBe(
      [
        'The latest time of the site was 2028-01-01 00:00 UTC and is 2027-01-01 00:00 UTC now.',
        '3 revocations lay ahead of that time and count from now on.',
        `Made at a time that is still to come, and so with an end that is too late: ${early}. Rotate or revoke them.`,
        '',
      ].join('\n'),
    );
    const { clock, keys, people, agreements } = await site.load();
    expect(clock).toBe(now);
    expect(keys.find(({ id }) => id === rotated)?.revokedAt).toBe(now + 23 * hour);
    expect(keys.find(({ id }) => id === revoked)?.revokedAt).toBe(now);
    expect(people.find(({ id }) => id === 'temp')?.revokedAt).toBe(now);
    expect(agreements[0]?.revokedAt).toBe(now);
  });

  test('one that was cut off leaves no revocation ahead of a clock that is right, and can be given again', async () => {
    using site = template.copy();
    freeze(now + 365 * 24 * hour);
    await site.do('anna', 'key', 'revoke', key);
    await site.change((store) => store.keepClock(Date.now()));
    vi.setSystemTime(now);
    {
      using _ = vi.spyOn(Edit.prototype, 'update').mockImplementation(() => {
        throw new SiteError('The disk is full.');
      });
      expect((await site.run('anna', 'store', 'reset-clock')).complained).toMatch(/The disk is full/);
    }
    expect((await site.load()).clock).toBe(now + 365 * 24 * hour);
    expect(await site.do('anna', 'store', 'reset-clock')).toMatch(/1 revocations lay ahead/);
    expect(await site.load()).toMatchObject({ clock: now, keys: [{ revokedAt: now }] });
  });

  test('an admin whose time would be over by the wrong clock can put it right', async () => {
    using site = template.copy();
    freeze(now);
    await site.do('anna', 'person', 'add', 'ada', '--roles', 'admin', '--expires', '30d', '--out', site.identity('ada'));
    await site.change((store) => store.keepClock(now + 60 * 24 * hour));
    expect((await site.run('ada', 'key', 'list')).complained).toMatch(/^The identity of ada has expired/);
    await site.do('ada', 'store', 'reset-clock');
    await site.do('ada', 'key', 'list');
  });
});
