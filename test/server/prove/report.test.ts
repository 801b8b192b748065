/** The report: a closed record, its signature, and the page made of it. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runCommand } from '../../../server/cli/index.ts';
import { parseSettings } from '../../../server/config.ts';
import { hashPublicKey, readEnvelope, signEnvelope, verifyEnvelope, writeEnvelope } from '../../../server/privacy/envelope.ts';
import { claimNames, doubt, type Finding, judge, summarize } from '../../../server/prove/claims.ts';
import { Markers } from '../../../server/prove/markers.ts';
import { createProofPage } from '../../../server/prove/page.ts';
import { createReport, readReport } from '../../../server/prove/report.ts';
import type { Proof } from '../../../server/prove/run.ts';
import { FakeWorld } from '../fake-world.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-report-'));
afterAll(() => rmSync(folder, { recursive: true }));
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const markers = new Markers();

function createProof(findings: readonly Finding[], model = 'a model'): Proof {
  return {
    findings,
    markers,
    isTraced: true,
    isAttached: false,
    panel: { device: 'lavapipe', driver: 'a driver', model },
    traffic: {
      routes: [{ route: '/health', requests: 3, statuses: { '200': 2, left: 1 } }],
      requests: 4,
      answers: 2,
      cases: ['a query'],
      stored: [],
      quoting: [],
    },
    memory: {
      waitedMs: 2500,
      first: 9,
      processes: [
        { pid: 5, kind: 'server', count: 2, kinds: { heap: 2 }, size: 4096 },
        { pid: 6, kind: 'text', count: undefined, kinds: {}, size: 0 },
      ],
    },
  };
}
const passed = claimNames.map((claim) => judge(claim, [], 'It was looked at.'));
const facts = { settings: parseSettings({}), software: 'ab'.repeat(32), begun: Date.UTC(2026, 11, 1, 8), ended: Date.UTC(2026, 11, 1, 8, 1) };

test('one failure fails all; one doubt is no proof; nothing looked at is none either', () => {
  const [first, ...rest] = passed;
  expect(summarize(passed)).toBe('passed');
  expect(summarize([...rest, doubt('files', [], 'It could not be seen.')])).toBe('not proven');
  const found = judge('files', [{ where: 'x', process: 'server', count: 1 }], '');
  expect(summarize([...rest, doubt('network', [], ''), found])).toBe('failed');
  expect(summarize([])).toBe('not proven');
  expect(first?.result).toBe('passed');
});

test('places are counted together, and only so many are named', () => {
  const places = Array.from({ length: 30 }, (_, index) => ({ where: `file ${index % 25}`, process: 'server' as const, count: 1 }));
  const { places: merged } = judge('files', places, '');
  expect(merged).toHaveLength(21);
  expect(merged[0]).toEqual({ where: 'file 0', process: 'server', count: 2 });
  expect(merged.at(-1)).toEqual({ where: '5 more places', process: 'none', count: 5 });
});

test('a report is signed, read and verified; a change breaks it', () => {
  const report = createReport(createProof(passed), facts);
  const bytes = Buffer.from(writeEnvelope(signEnvelope(report, privateKey)));
  const read = readEnvelope(bytes, 'The report');
  const trusted = new Map([[hashPublicKey(publicKey), publicKey.export({ type: 'spki', format: 'pem' }).toString()]]);
  expect(() => verifyEnvelope(read, trusted, 1, 'The report')).not.toThrow();
  expect(readReport(read, 'The report')).toMatchObject({
    result: 'passed',
    begun: '2026-12-01T08:00:00Z',
    memory: { first: 9, processes: [{ process: 'server', copies: 2 }, { process: 'text' }] },
  });
  const changed = { ...read, record: { ...read.record, result: 'failed' } };
  expect(() => verifyEnvelope(changed, trusted, 1, 'The report')).toThrow('does not fit');
  expect(() => readReport({ ...read, record: { ...read.record, note: 'x' } }, 'The report')).toThrow('is no report of inward prove');
  expect(() => readReport({ ...read, type: 'inward.manifest.v1' }, 'The report')).toThrow('the field "type"');
});

test('a report with a marker in it is not made', () => {
  expect(() => createReport(createProof(passed, markers.next()), facts)).toThrow('a marker would be in it');
});

test('the page says what failed and where, what stays a duty, and loads nothing', () => {
  const findings = [...passed.filter(({ claim }) => claim !== 'files'), judge('files', [{ where: '/var/<b>x', process: 'text', count: 3 }], 'Traced.')];
  const record = readReport(createReport(createProof(findings), facts), 'The report');
  const page = createProofPage(record, [], 'cd'.repeat(32));
  expect(page).toContain('At least one claim failed.');
  expect(page).toContain('3 &times; /var/&#60;b&#62;x (text)');
  expect(page).toContain('not signed: anybody could have written it');
  expect(page).toContain('not readable');
  for (const duty of record.duties) expect(page).toContain(duty.slice(0, 30));
  expect(page).not.toMatch(/<script|https?:|src=/);
});

test('--verify takes a report of the named signer only, and --key asks for a folder', async () => {
  const [path, pub, other, key] = ['report.json', 'k.pub', 'other.pub', 'k'].map((name) => join(folder, name)) as [string, string, string, string];
  writeFileSync(path, writeEnvelope(signEnvelope(createReport(createProof(passed), facts), privateKey)));
  writeFileSync(pub, publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(other, generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const world = new FakeWorld();
  expect(await runCommand(['prove', '--verify', path, '--signer', pub], world)).toBe(0);
  expect(world.printed).toMatch(/^Signed by ck-[0-9a-f]{16}: the proof prove-[0-9a-f]{16} of 2026-12-01T08:01:00Z, passed, of the program (?:ab){32}\.\n$/);
  expect(await runCommand(['prove', '--verify', path, '--signer', other], world)).toBe(1);
  expect(world.complained).toContain('is not signed by ck-');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"first": 9', '"first": 0'));
  expect(await runCommand(['prove', '--verify', path, '--signer', pub], world)).toBe(1);
  expect(world.complained).toContain('was changed after it was signed');
  expect(await runCommand(['prove', '--verify', path], world)).toBe(2);
  expect(await runCommand(['prove', '--key', key, '--yes'], world)).toBe(2);
  expect(statSync(path).isFile()).toBe(true);
});

test('--attach asks for an address and a key, and takes a server only', async () => {
  const key = join(folder, 'program.key');
  writeFileSync(key, 'inw_eval_x\n', { mode: 0o600 });
  const world = new FakeWorld();
  const attach = ['prove', '--attach', String(process.pid)];
  expect(await runCommand(attach, world)).toBe(2);
  expect(await runCommand([...attach, '--url', 'localhost', '--key-file', key], world)).toBe(2);
  expect(await runCommand([...attach, '--url', 'http://127.0.0.1:1', '--key-file', key], world)).toBe(1);
  expect(world.complained).toContain(`The process ${process.pid} is no server`);
  // As root too: nobody else may read a key.
  writeFileSync(`${key}.open`, 'inw_eval_x\n', { mode: 0o644 });
  expect(await runCommand([...attach, '--url', 'http://127.0.0.1:1', '--key-file', `${key}.open`], world)).toBe(1);
  expect(world.complained).toContain('can be used by others');
});
