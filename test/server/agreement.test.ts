/** `inward agreement`: files on a real disk, questions on a made terminal, the site in memory. */
import { createHash, createPrivateKey } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createProgram, runCommand } from '../../server/cli/index.ts';
import { clauses } from '../../server/privacy/agreement.ts';
import { type Envelope, readEnvelope, verifyEnvelope, writeEnvelope } from '../../server/privacy/envelope.ts';
import { SiteError } from '../../server/privacy/errors.ts';
import type { Snapshot, StoredRecord, TrustedKey } from '../../server/privacy/store.ts';
import { FakeWorld } from './fake-world.ts';
import { until } from './help.ts';
import { baa, createSigner, dayMs, selfOperated, signed, snapshotOf, stored, synthetic, wrap } from './privacy/records.ts';

/** The site of a test: what it has, and what it was asked. */
const site = vi.hoisted(() => ({ snapshot: undefined as unknown as Snapshot, permissions: [] as string[], closed: 0 }));

vi.mock('../../server/cli/site.ts', async (load) => ({
  ...(await load<object>()),
  openSite: async (_flags: unknown, _world: unknown, permission: string) => {
    site.permissions.push(permission);
    const change = (parts: Partial<Snapshot>): void => {
      site.snapshot = { ...site.snapshot, ...parts };
    };
    const store = {
      load: async () => site.snapshot,
      addTrustedKey: async (key: TrustedKey) => change({ trustedKeys: [...site.snapshot.trustedKeys, key] }),
      addRecord: async (record: StoredRecord) => change({ agreements: [...site.snapshot.agreements, record] }),
      revokeAgreement: async (id: string, revokedBy: string, revokedAt: number) =>
        change({ agreements: site.snapshot.agreements.map((record) => (record.envelope.record['id'] === id ? { ...record, revokedBy, revokedAt } : record)) }),
    };
    return { store, person: 'c.officer', [Symbol.asyncDispose]: async () => void site.closed++ };
  },
}));

const now = Date.UTC(2026, 10, 25, 10, 30);
let folder = '';
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now });
  folder = mkdtempSync(join(tmpdir(), 'inward-agreement-'));
  Object.assign(site, { snapshot: snapshotOf(), permissions: [], closed: 0 });
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string): string => join(folder, name);
const readText = (name: string): string => readFileSync(at(name), 'utf8');
const readRecord = (name: string): Envelope => readEnvelope(readFileSync(at(name)), 'The file');
const createWorld = (): FakeWorld => Object.assign(new FakeWorld(), { folder });

function place(name: string, text: string, mode = 0o600): string {
  writeFileSync(at(name), text);
  chmodSync(at(name), mode);
  return name;
}

interface Outcome {
  readonly code: number;
  readonly printed: string;
  readonly complained: string;
}

async function run(...args: string[]): Promise<Outcome> {
  const world = createWorld();
  const code = await runCommand(['agreement', ...args], world);
  return { code, printed: world.printed, complained: world.complained };
}

/** On a terminal: each answer is typed when its question has come after the one before. */
async function talk(args: readonly string[], dialogue: readonly (readonly [question: string, keys: string])[]): Promise<Outcome> {
  const world = createWorld();
  world.becomeTerminal();
  world.environment = { NO_COLOR: '1' };
  const ended = runCommand(['agreement', ...args], world);
  let [from, isOver] = [0, false];
  void ended.then(() => (isOver = true));
  for (const [question, keys] of dialogue) {
    await until(() => isOver || world.printed.includes(question, from));
    expect(world.printed.slice(from)).toContain(question);
    from = world.printed.indexOf(question, from) + question.length;
    world.in.write(keys);
  }
  const code = await ended;
  return { code, printed: world.printed, complained: world.complained };
}

const phrase = 'correct horse battery staple';
async function makeKey(name = 'key.pem'): Promise<string> {
  expect((await run('keygen', '--out', name, '--no-passphrase')).code).toBe(0);
  return name;
}
const officer = createSigner();
const second = createSigner();
const placeKey = (signer = officer, name = 'officer.pem', mode = 0o600): string =>
  place(name, signer.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), mode);
const selfOperatedOptions = [
  ...['--kind', 'self-operated', '--id', 'agr-12345678', '--entity', "St. Mary's Hospital, Inc.; 12-3456789"],
  ...['--signatory', 'Jane Roe; Privacy Officer; 2026-11-20', '--expires', '2027-11-24', '--purposes', 'messaging,documentation', '--regions', 'us-east'],
];

test('the whole way without a terminal: key, trust, record, signature, site, end', async () => {
  place('phrase.txt', `${phrase}\n`);
  const key = await run('keygen', '--out', 'key.pem', '--passphrase-file', 'phrase.txt');
  expect(key.code).toBe(0);
  const [id] = /ck-[0-9a-f]{16}/.exec(key.printed) ?? [];
  expect(key.printed).toMatch(/belongs to the compliance officer: take it off this machine/);

  expect(await run('trust', 'key.pem.pub')).toMatchObject({ code: 0, printed: expect.stringContaining(id ?? '?') });
  expect(site.snapshot.trustedKeys).toEqual([{ id, pem: readText('key.pem.pub'), addedAt: now, addedBy: 'c.officer' }]);

  expect((await run('new', ...selfOperatedOptions, '--out', 'agreement.json')).code).toBe(0);
  expect(await run('add', 'agreement.json')).toMatchObject({ code: 1, complained: expect.stringContaining('needs 1 signature') });

  const sign = await run('sign', 'agreement.json', '--key', 'key.pem', '--passphrase-file', 'phrase.txt', '--yes');
  expect(sign.code).toBe(0);
  for (const words of [
    "St. Mary's Hospital, Inc. (12-3456789)",
    'Jane Roe, Privacy Officer, 2026-11-20',
    '2027-11-24T00:00:00Z',
    'messaging, documentation',
    'us-east',
  ]) {
    expect(sign.printed).toContain(words);
  }
  verifyEnvelope(readRecord('agreement.json'), new Map([[id ?? '', readText('key.pem.pub')]]), 1, 'The file');

  const add = await run('add', 'agreement.json');
  expect(add).toMatchObject({ code: 0, complained: '' });
  expect(add.printed).toContain('in force from 2026-11-25T00:00:00Z until 2027-11-24T00:00:00Z');
  expect(add.printed).toContain('It ends in 364 days.');
  expect(site.snapshot.agreements).toEqual([{ envelope: readRecord('agreement.json'), addedAt: now, addedBy: 'c.officer' }]);
  expect(await run('add', 'agreement.json')).toMatchObject({ code: 1, complained: expect.stringContaining('agr-12345678 already') });

  expect((await run('show')).printed).toContain('agr-12345678  in force, ends in 364 days');
  expect((await run('revoke', 'agr-12345678', '--yes')).printed).toContain('stop now');
  expect((await run('show')).printed).toContain('agr-12345678  revoked at 2026-11-25T10:30:00.000Z by c.officer');
  const write = 'agreement.write';
  expect(site.permissions).toEqual([write, write, write, write, 'agreement.read', write, 'agreement.read']);
  // Also where it was refused.
  expect(site.closed).toBe(site.permissions.length);
});

describe('keygen', () => {
  test('a private key that only its owner can read, and a public one beside it', async () => {
    await makeKey();
    expect(statSync(at('key.pem')).mode & 0o777).toBe(0o600);
    expect(readText('key.pem')).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(readText('key.pem.pub')).toMatch(/^-----BEGIN PUBLIC KEY-----/);
  });

  test.each(['key.pem', 'key.pem.pub'])('%s that is there already stays, and nothing else is written', async (name) => {
    place(name, 'old');
    expect(await run('keygen', '--out', 'key.pem', '--no-passphrase')).toMatchObject({ code: 1, complained: expect.stringContaining('not overwritten') });
    expect(readdirSync(folder)).toEqual([name]);
    expect(readText(name)).toBe('old');
  });

  test('a public file that cannot be written takes the private one with it', async () => {
    symlinkSync(at('nowhere'), at('key.pem.pub'));
    expect((await run('keygen', '--out', 'key.pem', '--no-passphrase')).code).toBe(1);
    expect(readdirSync(folder)).toEqual(['key.pem.pub']);
  });

  test('asks for the passphrase twice, without showing it, until it is good', async () => {
    const outcome = await talk(
      ['keygen', '--out', 'key.pem'],
      [
        ['at least 12 characters: ', 'too short\r'],
        ['at least 12 characters', ''],
        ['at least 12 characters: ', `${phrase}\r`],
        ['The same again: ', `${phrase}r\r`],
        ['not the same', ''],
        ['at least 12 characters: ', `${phrase}\r`],
        ['The same again: ', `${phrase}\r`],
      ],
    );
    expect(outcome.code).toBe(0);
    expect(outcome.printed).not.toMatch(/too short|horse/);
    const pem = readText('key.pem');
    expect(pem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    expect(createPrivateKey({ key: pem, passphrase: phrase }).asymmetricKeyType).toBe('ed25519');
  });

  test('without a terminal it wants a file, or no passphrase', async () => {
    expect(await run('keygen', '--out', 'key.pem')).toMatchObject({ code: 2, complained: expect.stringContaining('--passphrase-file or --no-passphrase') });
    expect(await run('keygen')).toMatchObject({ code: 2 });
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    ['eleven char', 0o600, 'at least 12 characters'],
    ['', 0o600, 'no passphrase'],
    [`${phrase}\nsecond line`, 0o600, 'one line'],
    ['x'.repeat(513), 0o600, 'at most 512 bytes'],
    ['x'.repeat(512), 0o600, 'less than 512 bytes'],
    [phrase, 0o640, 'mode 0640'],
  ])('a file with %j of mode %o as passphrase', async (text, mode, reason) => {
    place('phrase.txt', text, mode);
    const outcome = await run('keygen', '--out', 'key.pem', '--passphrase-file', 'phrase.txt');
    expect(outcome).toMatchObject({ code: 1, complained: expect.stringContaining(reason) });
    expect(readdirSync(folder)).toEqual(['phrase.txt']);
  });

  test('Ctrl-C and the end of the input leave nothing', async () => {
    const interrupted = await talk(['keygen', '--out', 'key.pem'], [['characters: ', 'abc\x03']]);
    expect(interrupted).toMatchObject({ code: 130, complained: 'Interrupted.\n' });
    expect(await talk(['keygen', '--out', 'key.pem'], [['characters: ', '\x04']])).toMatchObject({
      code: 1,
      complained: expect.stringContaining('input ended'),
    });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('trust', () => {
  test.each([
    ['a private key', (): string => readText('key.pem')],
    ['text', (): string => 'ssh-ed25519 AAAA'],
    ['a large file', (): string => 'x'.repeat(5000)],
  ])('%s is no public key', async (_name, text) => {
    await makeKey();
    place('wrong', text());
    const outcome = await run('trust', 'wrong');
    expect(outcome).toMatchObject({ code: 1, printed: '' });
    expect(outcome.complained).toMatch(/^The file .*wrong (is no public key|cannot be used)/);
    expect(site.snapshot.trustedKeys).toEqual([]);
  });
});

describe('new', () => {
  test('a record made of options', async () => {
    const outcome = await run('new', ...selfOperatedOptions);
    expect(outcome).toMatchObject({ code: 0, complained: '' });
    expect(outcome.printed).toContain('not signed yet. Next: inward agreement sign');
    const { record, signatures } = readRecord('agr-12345678.json');
    expect(signatures).toEqual([]);
    expect(record).toEqual({
      ...selfOperated,
      id: 'agr-12345678',
      effective: '2026-11-25T00:00:00Z',
      purposes: ['messaging', 'documentation'],
    });
  });

  test('a record of every option', async () => {
    place('contract.pdf', 'a signed contract');
    const outcome = await run(
      'new',
      ...['--kind', 'baa', '--id', 'agr-00000002', '--entity', 'St. Mary; 12-3456789', '--associate', 'Hosting GmbH; HRB 1; host'],
      ...['--associate', 'Hosting GmbH;HRB 1;support', '--subcontractor', 'Night Shift; 77-1; agr-99999999', '--signatory', 'Jane Roe; CPO; 2026-11-20'],
      ...['--signatory', 'John Doe; CEO; 2026-11-21', '--effective', '2026-12-01T06:00:00Z', '--review', '2027-06-30', '--document', 'contract.pdf'],
      ...['--purposes', 'all', '--tenants', 'cardiology,icu', '--regions', 'us-east, us-west', '--hosts', 'ab'.repeat(32), '--clauses', 'all'],
      ...['--breach-report-hours', '72', '--termination', 'return', '--part2', '--supersedes', 'agr-00000001', '--out', 'record.json'],
    );
    expect(outcome).toMatchObject({ code: 0, complained: '' });
    expect(readRecord('record.json').record).toEqual({
      id: 'agr-00000002',
      kind: 'baa',
      coveredEntity: { name: 'St. Mary', id: '12-3456789' },
      associates: [
        { name: 'Hosting GmbH', id: 'HRB 1', role: 'host' },
        { name: 'Hosting GmbH', id: 'HRB 1', role: 'support' },
      ],
      subcontractors: [{ name: 'Night Shift', id: '77-1', agreement: 'agr-99999999' }],
      signatories: [
        { name: 'Jane Roe', title: 'CPO', date: '2026-11-20' },
        { name: 'John Doe', title: 'CEO', date: '2026-11-21' },
      ],
      effective: '2026-12-01T06:00:00Z',
      review: '2027-06-30',
      documentSha256: createHash('sha256').update('a signed contract').digest('hex'),
      purposes: [
        ...['documentation', 'prior-authorization', 'messaging', 'summarization', 'coding', 'utilization-review', 'decision-support', 'quality', 'operations'],
      ],
      tenants: ['cardiology', 'icu'],
      regions: ['us-east', 'us-west'],
      hosts: ['ab'.repeat(32)],
      clauses: [...clauses],
      breachReportHours: 72,
      termination: 'return',
      part2: true,
      supersedes: 'agr-00000001',
    });
  });

  test('a synthetic one needs an entity and a region only, and lasts 30 days from now', async () => {
    expect((await run('new', '--kind', 'synthetic', '--entity', 'St. Mary; 1', '--regions', 'us-east', '--out', 'record.json')).code).toBe(0);
    expect(readRecord('record.json').record).toMatchObject({
      id: expect.stringMatching(/^agr-[0-9a-f]{12}$/),
      effective: '2026-11-25T10:30:00Z',
      expires: '2026-12-25T10:30:00Z',
      purposes: ['evaluation'],
      signatories: [],
    });
  });

  test('without a terminal, all options that are missing are named at once', async () => {
    const some = await run('new', '--kind', 'baa', '--entity', 'St. Mary; 1');
    expect(some.code).toBe(2);
    const names = [...some.complained.matchAll(/--[a-z-]+/g)].map(([name]) => name);
    expect(names).toEqual([
      '--associate',
      '--signatory',
      '--expires',
      '--document',
      '--purposes',
      '--regions',
      '--clauses',
      '--breach-report-hours',
      '--termination',
    ]);
    const none = await run('new');
    expect(none).toMatchObject({ code: 2, complained: expect.stringContaining('--kind <kind>, --entity <name; id>') });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('--yes asks nothing on a terminal either', async () => {
    expect(await talk(['new', '--yes', ...selfOperatedOptions], [])).toMatchObject({ code: 0 });
    expect(await talk(['new', '--yes'], [])).toMatchObject({ code: 2, complained: expect.stringContaining('--kind') });
  });

  test('a file that is there is not written over', async () => {
    place('agreement.json', 'old');
    expect(await run('new', ...selfOperatedOptions, '--out', 'agreement.json')).toMatchObject({
      code: 1,
      complained: expect.stringContaining('not overwritten'),
    });
    expect(readText('agreement.json')).toBe('old');
  });

  test.each([
    [2, 'choices', ['--kind', 'other']],
    [2, 'agr- and 8 to 32', ['--id', 'mine']],
    [2, 'a name and an id', ['--entity', 'St. Mary']],
    [2, 'a name and an id', ['--entity', 'St. Mary; 1; more']],
    [2, 'one or more', ['--purposes', 'gossip']],
    [2, 'one or more', ['--purposes', 'messaging,messaging']],
    [2, '1 to 32 different regions', ['--regions', 'US']],
    [2, '1 to 32 different regions', ['--regions', 'all']],
    [2, 'a real time', ['--expires', '2027-02-30']],
    [2, 'a real time', ['--effective', 'now']],
    [2, 'a real date', ['--review', '2027-02-29']],
    [2, 'from 1 to 1440', ['--breach-report-hours', '1441']],
    [2, 'from 1 to 1440', ['--breach-report-hours', '0x18']],
    [1, 'found nothing', ['--document', 'nowhere.pdf']],
    [1, 'later than "effective"', ['--expires', '2026-11-24']],
    [1, 'must not be there both', ['--review', '2027-06-30']],
    [1, 'must be empty', ['--associate', 'A; 1; host']],
    [1, 'must not have evaluation', ['--purposes', 'evaluation']],
    [2, 'unknown option', ['--patient', 'x']],
  ])('exit code %i and %j for %j', async (code, reason, args) => {
    const outcome = await run('new', ...selfOperatedOptions, ...args);
    expect(outcome).toMatchObject({ code, complained: expect.stringContaining(reason) });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('on a terminal: every question, wrong answers asked again at once', async () => {
    place('contract.pdf', 'a signed contract');
    const outcome = await talk(
      ['new', '--out', 'record.json'],
      [
        ['Kind (self-operated, baa, synthetic): ', 'contract\r'],
        ['Expected one of self-operated, baa, synthetic.', 'baa\r'],
        ['Id of the record [agr-', 'agr-00000002\r'],
        ['Covered entity, legal name: ', 'St. "Mary"\r'],
        ['Expected at most 120 letters', 'St. Mary\r'],
        ['Covered entity, tax or registry id: ', '12-3456789\r'],
        ['Business associate, legal name: ', 'St. Mary\r'],
        ['Business associate, tax or registry id: ', '12-3456789\r'],
        ['Business associate, role (host, operator, support): ', 'host\r'],
        ['Another business associate? (yes, no) [no]: ', '\r'],
        ['must not have the covered entity itself', ''],
        ['Business associate, legal name: ', 'Hosting GmbH\r'],
        ['Business associate, tax or registry id: ', 'HRB 1\r'],
        ['Business associate, role (host, operator, support): ', 'host\r'],
        ['Another business associate? (yes, no) [no]: ', 'yes\r'],
        ['Business associate, legal name: ', 'Hosting GmbH\r'],
        ['Business associate, tax or registry id: ', 'HRB 1\r'],
        ['Business associate, role (host, operator, support): ', 'host\r'],
        ['Expected at most 16 different ones', ''],
        ['Another business associate? (yes, no) [no]: ', '\r'],
        ['Is there a subcontractor? (yes, no) [no]: ', '\r'],
        ['Signatory, name: ', 'Jane Roe\r'],
        ['Signatory, title: ', 'CPO\r'],
        ['Signatory, date [2026-11-25]: ', '2026-02-30\r'],
        ['Expected a real date', '\r'],
        ['Signatory, name: ', 'John Doe\r'],
        ['Signatory, title: ', 'CEO\r'],
        ['Signatory, date [2026-11-25]: ', '2026-11-21\r'],
        ['Another signatory? (yes, no) [no]: ', '\r'],
        ['In force from (UTC) [2026-11-25]: ', '2026-12-01\r'],
        ['Until (UTC), or evergreen [2027-12-01T00:00:00Z]: ', '2026-11-30\r'],
        ['The field "expires" must be later than "effective".', ''],
        ['Until (UTC), or evergreen [2027-12-01T00:00:00Z]: ', '\r'],
        ['Path of the signed document: ', 'nowhere.pdf\r'],
        ['Expected the path of a file', 'contract.pdf\r'],
        ['Purposes (documentation, ', 'messaging coding\r'],
        ['Codes of departments, or all [all]: ', '\r'],
        ['Regions: ', 'us-east\r'],
        ['Hashes of hosts, or none', '\r'],
        ['Clauses that the document holds (', 'safeguards\r'],
        ['must have all 10', ''],
        ['Clauses that the document holds (', 'all\r'],
        ['Hours within which a breach is reported: ', '60\r'],
        ['PHI at its end (return, destroy, return-or-destroy): ', 'destroy\r'],
        ['Covers records under 42 CFR Part 2 (yes, no) [no]: ', '\r'],
        ['Id of the agreement whose place it takes, or none [none]: ', '\r'],
      ],
    );
    expect(outcome).toMatchObject({ code: 0, complained: '' });
    expect(readRecord('record.json').record).toEqual({
      ...baa,
      coveredEntity: { name: 'St. Mary', id: '12-3456789' },
      associates: [{ name: 'Hosting GmbH', id: 'HRB 1', role: 'host' }],
      subcontractors: [],
      signatories: [
        { name: 'Jane Roe', title: 'CPO', date: '2026-11-25' },
        { name: 'John Doe', title: 'CEO', date: '2026-11-21' },
      ],
      effective: '2026-12-01T00:00:00Z',
      expires: '2027-12-01T00:00:00Z',
      documentSha256: createHash('sha256').update('a signed contract').digest('hex'),
      purposes: ['messaging', 'coding'],
      breachReportHours: 60,
      termination: 'destroy',
    });
  });

  test('on a terminal: what options say is not asked; evergreen asks for a day of review', async () => {
    place('contract.pdf', 'a signed contract');
    const { code } = await talk(
      [
        'new',
        '--kind',
        'self-operated',
        '--entity',
        'St. Mary; 1',
        '--signatory',
        'Jane Roe; CPO; 2026-11-20',
        '--purposes',
        'coding',
        '--regions',
        'us-east',
        '--out',
        'record.json',
      ],
      [
        ['Id of the record [agr-', '\r'],
        ['In force from (UTC) [2026-11-25]: ', '\r'],
        ['Until (UTC), or evergreen [2027-11-25T00:00:00Z]: ', 'evergreen\r'],
        ['Day of review [2027-11-25]: ', '2026-11-24\r'],
        ['must not be before "effective"', ''],
        ['Day of review [2027-11-25]: ', '2027-05-31\r'],
        ['Path of the signed document [none]: ', 'contract.pdf\r'],
        ['Codes of departments', '\r'],
        ['Hashes of hosts', '\r'],
        ['Hours within which a breach is reported [24]: ', '\r'],
        ['Part 2', '\r'],
        ['whose place it takes', '\r'],
      ],
    );
    expect(code).toBe(0);
    const { record } = readRecord('record.json');
    expect(record['documentSha256']).toBe(createHash('sha256').update('a signed contract').digest('hex'));
    expect(record).toMatchObject({ review: '2027-05-31', breachReportHours: 24, termination: 'destroy', purposes: ['coding'] });
    expect(record).not.toHaveProperty('expires');
  });

  test('on a terminal: a synthetic one is never evergreen, and not longer than 30 days', async () => {
    const { code } = await talk(
      ['new', '--kind', 'synthetic', '--id', 'agr-00000003', '--entity', 'St. Mary; 1', '--regions', 'us-east'],
      [
        ['In force from (UTC) [2026-11-25T10:30:00Z]: ', '2026-11-26\r'],
        ['Until (UTC), or evergreen [2026-12-26T00:00:00Z]: ', 'evergreen\r'],
        ['must be there, and within 30 days', '2026-12-27\r'],
        ['must be there, and within 30 days', '\r'],
        ['Codes of departments', '\r'],
        ['whose place it takes', '\r'],
      ],
    );
    expect(code).toBe(0);
    expect(readRecord('agr-00000003.json').record).toMatchObject({ expires: '2026-12-26T00:00:00Z', purposes: ['evaluation'] });
  });

  test('Ctrl-C between two questions leaves nothing', async () => {
    expect(
      await talk(
        ['new', '--out', 'record.json'],
        [
          ['Kind', 'baa\r'],
          ['Id of the record', '\x03'],
        ],
      ),
    ).toMatchObject({ code: 130 });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('sign', () => {
  const unsigned = (agreement: object = selfOperated): string => place('record.json', writeEnvelope(wrap(agreement)), 0o644);

  test('on a terminal: shows, asks, and asks for the passphrase without showing it', async () => {
    place('phrase.txt', phrase);
    await run('keygen', '--out', 'key.pem', '--passphrase-file', 'phrase.txt');
    unsigned(baa);
    const outcome = await talk(
      ['sign', 'record.json', '--key', 'key.pem'],
      [
        ['Müller Hosting GmbH & Co (HRB 1234), host', ''],
        ['Sign it? (yes, no) [no]: ', 'yes\r'],
        ['Passphrase of the private key: ', `${phrase}\r`],
      ],
    );
    expect(outcome).toMatchObject({ code: 0, printed: expect.stringContaining('the record has one signature') });
    expect(outcome.printed).not.toContain('horse');
    expect(readRecord('record.json').signatures).toHaveLength(1);
    expect(readRecord('record.json').record).toEqual(baa);
    expect(statSync(at('record.json')).mode & 0o777).toBe(0o644);
  });

  test('two officers, one after the other; the first one again adds nothing', async () => {
    unsigned();
    placeKey(officer, 'one.pem');
    placeKey(second, 'two.pem');
    for (const key of ['one.pem', 'two.pem', 'one.pem']) expect((await run('sign', 'record.json', '--key', key, '--yes')).code).toBe(0);
    const trusted = new Map([officer, second].map(({ trusted: { id, pem } }) => [id, pem]));
    verifyEnvelope(readRecord('record.json'), trusted, 2, 'The file');
    expect(readRecord('record.json').signatures).toHaveLength(2);
    expect((await run('sign', 'record.json', '--key', 'two.pem', '--yes')).printed).toContain(`Signed already by ${second.trusted.id}, ${officer.trusted.id}`);
  });

  test.each(['no\r', '\r'])('%j to the question signs nothing', async (keys) => {
    const before = readText(unsigned());
    placeKey();
    const outcome = await talk(['sign', 'record.json', '--key', 'officer.pem'], [['Sign it?', keys]]);
    expect(outcome).toMatchObject({ code: 1, complained: 'The record was not signed: that was not confirmed.\n' });
    expect(readText('record.json')).toBe(before);
  });

  test.each([0o644, 0o640, 0o604])('a private key of mode %o is refused', async (mode) => {
    const before = readText(unsigned());
    placeKey(officer, 'officer.pem', mode);
    expect(await run('sign', 'record.json', '--key', 'officer.pem', '--yes')).toMatchObject({
      code: 1,
      printed: '',
      complained: expect.stringContaining('chmod 600'),
    });
    expect(readText('record.json')).toBe(before);
  });

  test('a wrong passphrase, and none where one is needed', async () => {
    const before = readText(unsigned());
    place('phrase.txt', phrase);
    place('wrong.txt', `${phrase} `);
    await run('keygen', '--out', 'key.pem', '--passphrase-file', 'phrase.txt');
    const sign = ['sign', 'record.json', '--key', 'key.pem', '--yes'];
    expect(await run(...sign, '--passphrase-file', 'wrong.txt')).toMatchObject({
      code: 1,
      complained: expect.stringMatching(/key\.pem cannot be opened: expected .* its passphrase\.\n$/),
    });
    expect(await run(...sign)).toMatchObject({ code: 2, complained: expect.stringContaining('--passphrase-file') });
    expect(await talk(sign, [['Passphrase of the private key: ', 'wrong\r']])).toMatchObject({
      code: 1,
      complained: expect.stringContaining('cannot be opened'),
    });
    chmodSync(at('phrase.txt'), 0o644);
    expect(await run(...sign, '--passphrase-file', 'phrase.txt')).toMatchObject({ code: 1, complained: expect.stringContaining('mode 0644') });
    expect(readText('record.json')).toBe(before);
  });

  test('the public key in place of the private one', async () => {
    unsigned();
    await makeKey();
    expect(await run('sign', 'record.json', '--key', 'key.pem.pub', '--yes')).toMatchObject({
      code: 1,
      printed: '',
      complained: expect.stringContaining('key.pem.pub is a public key, which signs nothing: expected the private one'),
    });
  });

  test('without a terminal it wants to be told', async () => {
    unsigned();
    placeKey();
    expect(await run('sign', 'record.json', '--key', 'officer.pem')).toMatchObject({ code: 2, printed: '', complained: expect.stringContaining('--yes') });
    expect(await run('sign', 'record.json')).toMatchObject({ code: 2, complained: expect.stringContaining('--key') });
  });

  test('a record that is changed while it is shown is not signed', async () => {
    unsigned();
    placeKey();
    const other = writeEnvelope(wrap({ ...selfOperated, breachReportHours: 1000 }));
    const world = createWorld();
    world.becomeTerminal();
    const ended = runCommand(['agreement', 'sign', 'record.json', '--key', 'officer.pem'], world);
    await until(() => world.printed.includes('Sign it?'));
    writeFileSync(at('record.json'), other);
    world.in.write('yes\r');
    expect(await ended).toBe(1);
    expect(world.complained).toContain('was changed while you read it');
    expect(readText('record.json')).toBe(other);
  });

  test('a signature that came while it was shown stays', async () => {
    unsigned();
    placeKey();
    const world = createWorld();
    world.becomeTerminal();
    const ended = runCommand(['agreement', 'sign', 'record.json', '--key', 'officer.pem'], world);
    await until(() => world.printed.includes('Sign it?'));
    writeFileSync(at('record.json'), writeEnvelope(signed(selfOperated, second)));
    world.in.write('yes\r');
    expect(await ended).toBe(0);
    expect(readRecord('record.json').signatures.map(({ key }) => key)).toEqual([second.trusted.id, officer.trusted.id]);
  });

  test.each([
    ['breaks a rule', writeEnvelope(wrap({ ...selfOperated, regions: [] })), 'the field "regions"'],
    ['is a manifest', writeEnvelope(wrap(selfOperated, 'inward.manifest.v1')), 'expected an agreement'],
    ['is cut', writeEnvelope(wrap(selfOperated)).slice(0, 300), 'a file that was cut'],
    ['has a field twice', writeEnvelope(wrap(selfOperated)).replace('"kind"', '"kind": "baa", "kind"'), 'twice'],
  ])('a record that %s is not signed', async (_name, text, reason) => {
    place('record.json', text);
    placeKey();
    expect(await run('sign', 'record.json', '--key', 'officer.pem', '--yes')).toMatchObject({
      code: 1,
      printed: '',
      complained: expect.stringContaining(reason),
    });
    expect(readText('record.json')).toBe(text);
  });

  test('a ninth signature, which no reader would take, leaves the file as it was', async () => {
    const text = writeEnvelope(signed(selfOperated, ...Array.from({ length: 8 }, createSigner)));
    place('record.json', text);
    placeKey();
    expect((await run('sign', 'record.json', '--key', 'officer.pem', '--yes')).code).toBe(1);
    expect(readText('record.json')).toBe(text);
  });
});

describe('add', () => {
  test('what breaks a rule of the site is not added', async () => {
    site.snapshot = snapshotOf({ trustedKeys: [officer.trusted], agreements: [stored(signed(synthetic, officer))] });
    place('record.json', writeEnvelope(signed(selfOperated, officer)));
    expect(await run('add', 'record.json')).toMatchObject({ code: 1, printed: '', complained: expect.stringContaining('revoke that one first') });
    expect(site.snapshot.agreements).toHaveLength(1);
    expect(site.closed).toBe(1);
  });

  test('one that has not begun says so', async () => {
    site.snapshot = snapshotOf({ trustedKeys: [officer.trusted] });
    place('record.json', writeEnvelope(signed({ ...selfOperated, effective: '2027-01-01T00:00:00Z' }, officer)));
    expect((await run('add', 'record.json')).printed).toContain('It has not begun yet.');
  });

  test('one that takes the place of another says when that one ends', async () => {
    site.snapshot = snapshotOf({ trustedKeys: [officer.trusted], agreements: [stored(signed(selfOperated, officer))] });
    const next = { ...selfOperated, id: 'agr-00000010', supersedes: selfOperated.id, effective: '2027-01-01T00:00:00Z' };
    place('record.json', writeEnvelope(signed(next, officer)));
    expect((await run('add', 'record.json')).printed).toContain('It takes the place of agr-00000001, which ends at 2027-01-01T00:00:00.000Z.\n');
  });

  test('a clock that is behind the times of the site makes no agreement younger', async () => {
    site.snapshot = snapshotOf({ trustedKeys: [officer.trusted], clock: Date.UTC(2027, 10, 24) });
    place('record.json', writeEnvelope(signed(selfOperated, officer)));
    expect(await run('add', 'record.json')).toMatchObject({ code: 1, complained: expect.stringContaining('has ended') });
  });
});

describe('show', () => {
  const march = { ...selfOperated, id: 'agr-00000010', tenants: ['cardiology'], effective: '2027-03-01T00:00:00Z' };
  const past = { ...selfOperated, id: 'agr-00000011', tenants: ['icu'], effective: '2025-01-01T00:00:00Z', expires: '2026-11-25T10:30:00Z' };
  const withdrawn = stored(signed({ ...selfOperated, id: 'agr-00000012' }, officer), now - dayMs);
  const endingIn = (days: number, more: object = {}): object => ({
    ...selfOperated,
    expires: `${new Date(now + days * dayMs).toISOString().slice(0, 19)}Z`,
    ...more,
  });

  test('states', async () => {
    site.snapshot = snapshotOf({ agreements: [...[baa, march, past].map((agreement) => stored(signed(agreement, officer))), withdrawn] });
    const { printed, code } = await run('show');
    expect(code).toBe(0);
    expect(printed).toMatch(/^agr-00000002 {2}in force, ends in 364 days$/m);
    expect(printed).toMatch(/^agr-00000010 {2}not begun, from 2027-03-01T00:00:00Z$/m);
    expect(printed).toMatch(/^agr-00000011 {2}expired at 2026-11-25T10:30:00.000Z$/m);
    expect(printed).toMatch(/^agr-00000012 {2}revoked at 2026-11-24T10:30:00.000Z by c.officer$/m);
    for (const words of ['baa: with business associates', 'documentation, messaging', 'cardiology', 'us-east', officer.trusted.id])
      expect(printed).toContain(words);
    expect(printed).not.toContain('must be signed');
  });

  test('one of them, as text and as JSON', async () => {
    site.snapshot = snapshotOf({ agreements: [stored(signed(baa, officer)), withdrawn] });
    expect((await run('show', 'agr-00000002')).printed).not.toContain('agr-00000012');
    const [first, ...others] = JSON.parse((await run('show', 'agr-00000012', '--json')).printed);
    expect(others).toEqual([]);
    expect(first).toMatchObject({
      id: 'agr-00000012',
      state: 'revoked',
      daysLeft: null,
      warning: null,
      revokedBy: 'c.officer',
      revokedAt: '2026-11-24T10:30:00.000Z',
      signedBy: [officer.trusted.id],
      agreement: { ...selfOperated, id: 'agr-00000012' },
    });
    expect(JSON.parse((await run('show', '--json')).printed)).toHaveLength(2);
    expect(await run('show', 'agr-77777777')).toMatchObject({ code: 1, complained: expect.stringContaining('no agreement of that id') });
  });

  test.each([
    [31, null],
    [30, 30],
    [14.5, 30],
    [14, 14],
    [7, 7],
    [2, 7],
    [1, 1],
    [0.1, 1],
  ])('%f days before the end: warning %s', async (days, warning) => {
    site.snapshot = snapshotOf({ agreements: [stored(signed(endingIn(days), officer))] });
    const [found] = JSON.parse((await run('show', '--json')).printed);
    expect(found).toMatchObject({ state: 'in-force', daysLeft: Math.ceil(days), warning });
    const { printed } = await run('show');
    if (warning === null) expect(printed).not.toContain('must be signed');
    else expect(printed).toContain(`It ends in ${Math.ceil(days)} ${Math.ceil(days) === 1 ? 'day' : 'days'}: the next one must be signed`);
  });

  test('no warning where the next one is there; superseded ones', async () => {
    const next = { ...selfOperated, id: 'agr-00000010', supersedes: selfOperated.id, effective: `${new Date(now + 5 * dayMs).toISOString().slice(0, 19)}Z` };
    site.snapshot = snapshotOf({ agreements: [stored(signed(endingIn(20), officer)), stored(signed(next, officer))] });
    const { printed } = await run('show');
    expect(printed).toContain('agr-00000001  in force, ends in 5 days');
    expect(printed).not.toContain('must be signed');
    vi.setSystemTime(now + 5 * dayMs);
    expect((await run('show')).printed).toContain('agr-00000001  superseded at 2026-11-30T10:30:00.000Z');
  });

  test('an empty site', async () => {
    expect((await run('show')).printed).toContain('There is no agreement on this site: nothing is served.');
    expect(JSON.parse((await run('show', '--json')).printed)).toEqual([]);
  });
});

describe('revoke', () => {
  beforeEach(() => {
    site.snapshot = snapshotOf({ agreements: [stored(signed(selfOperated, officer))] });
  });
  const isRevoked = (): boolean => site.snapshot.agreements.some(({ revokedAt }) => revokedAt !== undefined);

  test('says what it does, and asks', async () => {
    const no = await talk(
      ['revoke', 'agr-00000001'],
      [
        ['cannot be undone. Answers that run under it stop at once', ''],
        ['Revoke it? (yes, no) [no]: ', '\r'],
      ],
    );
    expect(no).toMatchObject({ code: 1, complained: expect.stringContaining('was not revoked') });
    expect(isRevoked()).toBe(false);
    expect((await talk(['revoke', 'agr-00000001'], [['Revoke it?', 'yes\r']])).code).toBe(0);
    expect(site.snapshot.agreements[0]).toMatchObject({ revokedAt: now, revokedBy: 'c.officer' });
  });

  test('by a clock that is behind: the one whose place it took does not come back', async () => {
    const next = { ...selfOperated, id: 'agr-00000010', supersedes: selfOperated.id, effective: '2026-12-01T00:00:00Z' };
    site.snapshot = snapshotOf({ agreements: [...site.snapshot.agreements, stored(signed(next, officer))], clock: Date.UTC(2026, 11, 2) });
    expect((await run('revoke', next.id, '--yes')).code).toBe(0);
    expect((await run('show', selfOperated.id)).printed).toContain('superseded at 2026-12-01T00:00:00.000Z');
  });

  test('without a terminal it wants --yes', async () => {
    expect(await run('revoke', 'agr-00000001')).toMatchObject({ code: 2, complained: expect.stringContaining('--yes') });
    expect(isRevoked()).toBe(false);
  });

  test('one that is not there, one that was revoked already, what is no id', async () => {
    expect(await run('revoke', 'agr-77777777', '--yes')).toMatchObject({ code: 1, complained: expect.stringContaining('There is no agreement agr-77777777') });
    expect(await run('revoke', 'all', '--yes')).toMatchObject({ code: 2, complained: expect.stringContaining('no id of an agreement') });
    expect((await run('revoke', 'agr-00000001', '--yes')).code).toBe(0);
    expect(await run('revoke', 'agr-00000001', '--yes')).toMatchObject({ code: 1, complained: expect.stringContaining('revoked already, by c.officer') });
  });
});

test('every command has a description, examples, and help at each option', () => {
  const group = createProgram(new FakeWorld(), () => undefined).commands.find((command) => command.name() === 'agreement');
  expect(group?.commands.map((command) => command.name())).toEqual(['keygen', 'trust', 'new', 'sign', 'add', 'show', 'revoke']);
  for (const command of group?.commands ?? []) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    expect(help).toContain(`Examples:\n  inward agreement ${command.name()}`);
    expect(command.description()).not.toBe('');
    for (const option of command.options) expect(option.description, option.flags).not.toBe('');
  }
});

test('a refusal of the store is told as it is', async () => {
  await makeKey();
  site.snapshot = {
    ...site.snapshot,
    get trustedKeys(): never {
      throw new SiteError('There is such a key already.');
    },
  };
  expect(await run('trust', 'key.pem.pub')).toMatchObject({ code: 1, complained: 'There is such a key already.\n' });
  expect(existsSync(at('key.pem'))).toBe(true);
});
