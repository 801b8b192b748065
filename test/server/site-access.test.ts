/** Every command of administration as every role, and as nobody. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProgram, runCommand } from '../../server/cli/index.ts';
import { createSecret } from '../../server/privacy/keys.ts';
import { type Role, roles } from '../../server/privacy/words.ts';
import { FakeWorld } from './fake-world.ts';
import { TestSite } from './site-folder.ts';

let template: TestSite;
/** A key that is there before each command. */
let key = '';

beforeAll(async () => {
  template = await TestSite.create();
  for (const role of ['operator', 'auditor', 'viewer']) await template.do('anna', 'person', 'add', role, '--roles', role, '--out', template.identity(role));
  copyFileSync(template.identity('anna'), template.identity('admin'));
  copyFileSync(template.identity('carl'), template.identity('compliance'));
  await template.do('anna', 'person', 'add', 'leaver', '--roles', 'viewer', '--out', template.identity('leaver'));
  ({ id: key } = await template.json<{ id: string }>('anna', 'key', 'create', '--label', 'scribe', '--purposes', 'documentation'));
  await template.do('anna', 'store', 'backup', 'backup.sqlite');
});
afterAll(() => template[Symbol.dispose]());

// Who gives access does not decide what is agreed, who reviews changes nothing, and whoever watches may stop a key.
const everybody: readonly Role[] = ['admin', 'compliance', 'operator', 'auditor', 'viewer'];
const commands: readonly (readonly [args: readonly string[], permitted: readonly Role[]])[] = [
  [['site', 'show'], everybody],
  [['tenant', 'list'], everybody],
  [['person', 'add', 'new', '--roles', 'viewer'], ['admin']],
  [['person', 'revoke', 'leaver'], ['admin']],
  [['person', 'renew', 'leaver'], ['admin']],
  // Else an admin would hold the identity of somebody who agrees.
  [['person', 'add', 'new', '--roles', 'viewer,compliance'], ['compliance']],
  [['person', 'renew', 'carl'], ['compliance']],
  [
    ['person', 'list'],
    ['admin', 'compliance', 'auditor'],
  ],
  [['tenant', 'add', 'cardiology'], ['admin']],
  [['tenant', 'quota', 'main', '--tokens-per-day', '5'], ['admin']],
  [['key', 'create', '--label', 'other', '--purposes', 'coding'], ['admin']],
  [['key', 'rotate', 'KEY'], ['admin']],
  [['key', 'seal', '--label', 'emergency'], ['admin']],
  [
    ['key', 'revoke', 'KEY'],
    ['admin', 'compliance', 'operator'],
  ],
  [
    ['key', 'list'],
    ['admin', 'compliance', 'operator', 'auditor'],
  ],
  [['review'], ['compliance', 'auditor']],
  [
    ['review', '--csv', 'review.csv'],
    ['compliance', 'auditor'],
  ],
  [['store', 'backup', 'another.sqlite'], ['admin']],
  [['store', 'restore', 'backup.sqlite'], ['admin']],
  [['store', 'check'], ['admin']],
  [['store', 'reset-clock'], ['admin']],
];

test('the table has every command but the one that nobody can be known to', () => {
  const { commands: top } = createProgram(new FakeWorld(), () => undefined);
  const groups = ['site', 'person', 'tenant', 'key', 'store'];
  const all = top.flatMap((command) => (groups.includes(command.name()) ? command.commands.map((below) => `${command.name()} ${below.name()}`) : []));
  expect(new Set(commands.map(([args]) => args.slice(0, 2).join(' ')).filter((name) => !name.startsWith('review')))).toEqual(
    new Set(all.filter((name) => name !== 'site init')),
  );
});

test.each(
  [['site'], ['person'], ['tenant'], ['key'], ['store'], ['site', 'init'], ...commands.map(([args]) => args.slice(0, args[0] === 'review' ? 1 : 2))].map(
    (words) => [words],
  ),
)('%j explains with examples', async (words) => {
  const world = new FakeWorld();
  expect(await runCommand([...words, '--help'], world)).toBe(0);
  expect(world.printed).toMatch(new RegExp(`Usage: inward ${words.join(' ')} .*Examples:\\n {2}inward ${words.join(' ')}`, 's'));
  expect(await runCommand(words.slice(0, 1), new FakeWorld())).not.toBe(0);
});

describe.each(commands)('%j', (args, permitted) => {
  test.each(roles)('as %s', async (role) => {
    using site = template.copy();
    const before = await site.load();
    const { code, printed, complained } = await site.run(role, ...args.map((arg) => (arg === 'KEY' ? key : arg)));
    if (permitted.includes(role)) {
      expect([code, complained.replace(/^The old key .*\n/, '')]).toEqual([0, '']);
      expect(printed).not.toBe('');
      return;
    }
    expect([code, printed]).toEqual([1, '']);
    expect(complained).toMatch(/ may not do this: it needs [a-z]+\.[a-z]+, which the role .* gives; found [a-z]+\.\n$/);
    expect(await site.load()).toEqual(before);
  });
});

/** What stands in the way, and the sentence about it. */
const refused: readonly (readonly [name: string, prepare: (site: TestSite) => string, sentence: RegExp])[] = [
  ['no identity file', (site) => site.identity('nobody'), /^The file .*nobody.identity cannot be used: expected a readable file, found nothing\.\n$/],
  ['one that others may read', (site) => loosen(site, 0o640), /can be used by others \(mode 0640\); expected mode 0600: chmod 600 /],
  ['one that others may write', (site) => loosen(site, 0o602), /can be used by others \(mode 0602\); expected mode 0600/],
  ['a folder', (site) => put(site, undefined), /expected a file, found a folder/],
  ['an empty one', (site) => put(site, ''), /^This is no identity: expected one line that begins with inw_person_/],
  ['a long one', (site) => put(site, 'inw_person_'.repeat(50)), /expected at most 256 bytes, found 550/],
  ['binary', (site) => put(site, '\0\xff\n'), /^This is no identity/],
  ['a letter mistyped', (site) => put(site, mistype(createSecret('person').text)), /^This is no identity/],
  ['a key of a program', (site) => put(site, createSecret('phi').text), /^This is no identity/],
  ['of another site', (site) => put(site, createSecret('person').text), /^This identity is not one of this site; an admin of the site can make a new one/],
];

function loosen(site: TestSite, mode: number): string {
  chmodSync(site.identity('anna'), mode);
  return site.identity('anna');
}

function put(site: TestSite, text: string | undefined): string {
  const path = join(site.home, 'given.identity');
  if (text === undefined) mkdirSync(path);
  else writeFileSync(path, text, { encoding: 'latin1', mode: 0o600 });
  return path;
}

/** One letter of the secret becomes another of the alphabet. */
function mistype(text: string): string {
  return text.slice(0, 30) + (text[30] === '0' ? '1' : '0') + text.slice(31);
}

test.each(refused)('identity: %s', async (_, prepare, sentence) => {
  using site = template.copy();
  const path = prepare(site);
  const { code, printed, complained } = await site.run('anna', 'key', 'list', '--identity', path);
  expect([code, printed]).toEqual([1, '']);
  expect(complained).toMatch(sentence);
  expect(complained.trim().split('\n')).toHaveLength(1);
  expect(complained).not.toMatch(/inw_person_[0-9a-z]{10}/);
});

test('no identity is named', async () => {
  using site = template.copy();
  const world = new FakeWorld();
  world.environment = { INWARD_IDENTITY: '' };
  expect(await runCommand(['key', 'list', '--site', site.folder], world)).toBe(1);
  expect(world.complained).toBe('This command must know who gives it: name your identity file with --identity or INWARD_IDENTITY.\n');
});

test('an identity with blanks and line ends around it, and by a link', async () => {
  using site = template.copy();
  const path = put(site, ` ${readFileSync(site.identity('anna'), 'utf8').trim()}\r\n`);
  symlinkSync(path, join(site.home, 'link'));
  expect(await site.run('nobody', 'key', 'list', '--identity', 'link')).toMatchObject({ code: 0 });
});

test('who was revoked, or whose time is over, may do nothing more; a clock that is put back does not help', async () => {
  using site = template.copy();
  await site.do('anna', 'person', 'add', 'temp', '--roles', 'admin', '--expires', '30m', '--out', site.identity('temp'));
  await site.do('temp', 'key', 'list');
  await site.change((store) => store.keepClock(Date.now() + 31 * 60_000));
  expect(await site.run('temp', 'key', 'list')).toMatchObject({
    code: 1,
    complained: 'The identity of temp has expired; an admin can add the person anew under another id.\n',
  });
  await site.do('anna', 'person', 'revoke', 'operator');
  expect(await site.run('operator', 'key', 'list')).toMatchObject({
    code: 1,
    complained: 'The person operator has been revoked; an admin can add the person anew under another id.\n',
  });
});

test('the folder: by flag, by variable, in the state folder, in the home', async () => {
  using site = template.copy();
  const list = async (environment: Record<string, string>, ...args: string[]): Promise<number> => {
    const world = new FakeWorld();
    world.folder = site.home;
    world.environment = { INWARD_IDENTITY: site.identity('anna'), ...environment };
    return runCommand(['key', 'list', ...args], world);
  };
  const nowhere = { HOME: '/nowhere', XDG_STATE_HOME: '/nowhere' };
  expect(await list(nowhere)).toBe(1);
  expect(await list({ ...nowhere, INWARD_SITE: '/nowhere' }, '--site', 'site')).toBe(0);
  expect(await list({ ...nowhere, INWARD_SITE: 'site' })).toBe(0);
  renameSync(site.folder, join(site.home, 'inward'));
  const identity = { INWARD_IDENTITY: join(site.home, 'inward', 'anna.identity') };
  expect(await list({ HOME: '/nowhere', XDG_STATE_HOME: site.home, INWARD_SITE: '', ...identity })).toBe(0);
  mkdirSync(join(site.home, '.local/state'), { recursive: true });
  renameSync(join(site.home, 'inward'), join(site.home, '.local/state/inward'));
  expect(await list({ HOME: site.home, XDG_STATE_HOME: '', INWARD_IDENTITY: join(site.home, '.local/state/inward/anna.identity') })).toBe(0);
});

test('a folder or a store that others may read is refused', async () => {
  using site = template.copy();
  chmodSync(site.path, 0o644);
  expect((await site.run('anna', 'key', 'list')).complained).toMatch(/can be read or written by others \(mode 644\): expected 600/);
  chmodSync(site.path, 0o600);
  chmodSync(site.folder, 0o755);
  expect((await site.run('anna', 'key', 'list')).complained).toMatch(/can be read or written by others \(mode 755\): expected 700/);
});
