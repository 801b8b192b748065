/** The small witness by the specification (C2SP tlog-witness, add-checkpoint), spoken to by hand. */
import { createPublicKey, hash, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { afterAll, expect, test } from 'vitest';
import { Cosigner } from '../../../../../server/privacy/audit/witness/cosigner.ts';
import { createWitnessServer } from '../../../../../server/privacy/audit/witness/desk.ts';
import { parseLogKey } from '../../../../../server/privacy/audit/witness/logs.ts';
import { NoteFile } from '../../../../../server/privacy/audit/witness/notes.ts';
import type { Witnessed } from '../../../../../server/privacy/audit/witness.ts';
import { SmallLog } from './small-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-witness-desk-'));
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

const time = Date.parse('2026-11-26T00:00:00Z');
/** The seed and public key of RFC 8032, section 7.1, test 1. */
const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
const publicKey = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
const cosigner = new Cosigner(seed);

interface Desk {
  readonly port: number;
  readonly path: string;
  readonly findings: unknown[];
  post(body: string, path?: string): Promise<Response>;
}

let count = 0;
async function openDesk(keys: readonly string[], path: string = join(folder, `checkpoints-${count++}`)): Promise<Desk> {
  const findings: unknown[] = [];
  const notes = await NoteFile.open(path);
  const known = keys.flatMap((key) => parseLogKey(key) ?? []);
  expect(known).toHaveLength(keys.length);
  const server = createWitnessServer({
    notes,
    keys: known,
    cosigner,
    now: () => time,
    requestMs: 1000,
    onAnswer: ({ status, finding }) => findings.push([status, finding]),
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, path, findings, post: (body, url = '/add-checkpoint') => fetch(`http://127.0.0.1:${port}${url}`, { method: 'POST', body }) };
}

const body = (old: number, { note, proveFrom }: Witnessed, from = old): string =>
  [`old ${old}`, ...proveFrom(from).map((node) => Buffer.from(node).toString('base64')), '', note].join('\n');

test('takes a first checkpoint and those that go on from it, with a cosignature, and holds them', async () => {
  const log = new SmallLog();
  const desk = await openDesk([log.key]);
  const [first, second] = [log.grow(3), log.grow(8)];
  const answer = await desk.post(body(0, first));
  expect(answer.status).toBe(200);
  checkCosignature(await answer.text(), first.note);
  // A submission prefix may stand in front.
  expect((await desk.post(body(3, second), '/audit/add-checkpoint')).status).toBe(200);
  expect((await desk.post(body(11, second))).status).toBe(200);
  expect(readFileSync(desk.path, 'utf8')).toBe(first.note + second.note);
});

/** By C2SP tlog-cosignature, from its text. */
function checkCosignature(line: string, note: string): void {
  const [, name = '', encoded = ''] = /^\u2014 (\S+) (\S+)\n$/.exec(line) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  expect(bytes).toHaveLength(4 + 8 + 64);
  const id = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(4), publicKey]), 'buffer').subarray(0, 4);
  expect(bytes.subarray(0, 4)).toEqual(id);
  expect(cosigner.key).toBe(`${name}+${id.toString('hex')}+${Buffer.concat([Buffer.of(4), publicKey]).toString('base64')}`);
  expect(bytes.readBigUInt64BE(4)).toBe(BigInt(time / 1000));
  const [origin, size, root] = note.split('\n');
  const signed = `cosignature/v1\ntime ${time / 1000}\n${origin}\n${size}\n${root}\n`;
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') }, format: 'jwk' });
  expect(verify(null, Buffer.from(signed), key, bytes.subarray(12))).toBe(true);
}

test('409 with the size that it has, until the proof is from there', async () => {
  const log = new SmallLog();
  const desk = await openDesk([log.key]);
  await desk.post(body(0, log.grow(5)));
  const next = log.grow(2);
  for (const old of [0, 3, 7]) {
    const answer = await desk.post(body(old, next));
    expect(answer.status).toBe(409);
    expect(answer.headers.get('content-type')).toBe('text/x.tlog.size');
    expect(await answer.text()).toBe('5\n');
  }
  expect((await desk.post(body(5, next))).status).toBe(200);
  expect(desk.findings.filter((finding) => JSON.stringify(finding).includes('409'))).toEqual(Array(3).fill([409, undefined]));
});

test('404 for a log without a key, 403 for a signature that is not by a given key', async () => {
  const [log, other] = [new SmallLog(), new SmallLog()];
  const desk = await openDesk([log.key]);
  expect((await desk.post(body(0, other.grow(1)))).status).toBe(404);
  const checkpoint = log.grow(3);
  // One letter of the signature, behind the 4 bytes that name the key.
  const letter = checkpoint.note.length - 40;
  const forged = checkpoint.note.slice(0, letter) + (checkpoint.note[letter] === 'A' ? 'B' : 'A') + checkpoint.note.slice(letter + 1);
  expect((await desk.post(body(0, { ...checkpoint, note: forged }))).status).toBe(403);
  const twin = log.fork();
  twin.rotate();
  expect((await desk.post(body(0, twin.at(3)))).status).toBe(403);
  expect(readFileSync(desk.path, 'utf8')).toBe('');
});

test('a key that was not given is taken for a log that goes on from what a given key has signed', async () => {
  const log = new SmallLog();
  const desk = await openDesk([log.key]);
  expect((await desk.post(body(0, log.grow(3)))).status).toBe(200);
  const twin = log.fork();
  log.rotate();
  expect((await desk.post(body(3, log.grow(3)))).status).toBe(200);
  twin.rotate();
  twin.grow(9, 'another');
  expect((await desk.post(body(6, twin.at(12)))).status).toBe(422);
  expect(desk.findings.at(-1)).toEqual([422, 'forked']);
});

test('an older copy and another history are refused and told', async () => {
  const log = new SmallLog();
  log.grow(4);
  const twin = log.fork();
  const desk = await openDesk([log.key]);
  await desk.post(body(0, log.grow(4)));
  expect((await desk.post(body(0, log.at(6)))).status).toBe(409);
  expect(desk.findings.at(-1)).toEqual([409, 'rolled_back']);
  const other = twin.grow(4, 'another');
  expect((await desk.post(body(8, other))).status).toBe(409);
  expect(desk.findings.at(-1)).toEqual([409, 'forked']);
  expect((await desk.post(body(8, twin.grow(5, 'another')))).status).toBe(422);
  expect((await desk.post(body(8, log.at(8)))).status).toBe(200);
});

test('of requests at the same time from one size, one is taken', async () => {
  const log = new SmallLog();
  const desk = await openDesk([log.key]);
  await desk.post(body(0, log.grow(5)));
  const next = Array.from({ length: 10 }, () => log.grow(1));
  const answers = await Promise.all(next.map((checkpoint) => desk.post(body(5, checkpoint))));
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(statuses.filter((status) => status === 409)).toHaveLength(9);
  expect(readFileSync(desk.path, 'utf8').match(/^inward-audit/gm)).toHaveLength(2);
});

test('it goes on from its file when it is started again, and answers 500 when it cannot write', async () => {
  const log = new SmallLog();
  const desk = await openDesk([log.key]);
  await desk.post(body(0, log.grow(5)));
  const again = await openDesk([log.key], desk.path);
  expect(await (await again.post(body(0, log.grow(1)))).text()).toBe('5\n');
  rmSync(desk.path);
  expect((await again.post(body(5, log.at(6)))).status).toBe(500);
});

test.each([
  ['nothing', () => ''],
  ['no proof lines and no empty line', ({ note }: Witnessed) => `old 0\n${note}`],
  ['a size with a zero in front', ({ note }: Witnessed) => `old 00\n\n${note}`],
  ['an old size above that of the checkpoint', ({ note }: Witnessed) => `old 4\n\n${note}`],
  ['a line that is no hash', ({ note }: Witnessed) => `old 0\nAAAA\n\n${note}`],
  ['64 hashes', ({ note }: Witnessed) => `old 1\n${`${'A'.repeat(43)}=\n`.repeat(64)}\n${note}`],
  ['a checkpoint with a line more', ({ note }: Witnessed) => `old 0\n\n${note.replace('\n\n', '\nextension\n\n')}`],
  ['a megabyte', ({ note }: Witnessed) => `old 0\n\n${note}${'x'.repeat(2 ** 20)}`],
])('400 for %s', async (_, change) => {
  const log = new SmallLog();
  const desk = await openDesk([log.key]);
  const answer = await desk.post(change(log.grow(3))).catch((error: unknown) => error);
  // A body that is not read to its end may cost the connection before the answer is read.
  if (answer instanceof Response) expect(answer.status).toBe(400);
  expect(readFileSync(desk.path, 'utf8')).toBe('');
  expect((await desk.post(body(0, log.at(3)))).status).toBe(200);
});

test('422 for a first checkpoint with a proof, or a proof that is short', async () => {
  const log = new SmallLog();
  const desk = await openDesk([log.key]);
  expect((await desk.post(body(0, log.grow(5), 3))).status).toBe(422);
  await desk.post(body(0, log.at(5)));
  expect((await desk.post(body(5, log.grow(3), 8))).status).toBe(422);
});

test('other routes and methods', async () => {
  const log = new SmallLog();
  const desk = await openDesk([log.key]);
  expect((await desk.post(body(0, log.grow(1)), '/')).status).toBe(404);
  expect((await desk.post(body(0, log.at(1)), '/../add-checkpoint?x')).status).toBe(404);
  expect((await fetch(`http://127.0.0.1:${desk.port}/add-checkpoint`)).status).toBe(405);
});

test('a request that does not end is cut off, and one that breaks off ends nothing', async () => {
  const log = new SmallLog();
  const desk = await openDesk([log.key]);
  const broken = connect(desk.port, '127.0.0.1');
  broken.write('POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\nold 0\n');
  await once(broken, 'connect');
  broken.destroy();
  const slow = connect(desk.port, '127.0.0.1');
  slow.write('POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\nold 0\n');
  expect(await readText(slow)).toMatch(/^HTTP\/1\.1 408 /);
  expect((await desk.post(body(0, log.grow(3)))).status).toBe(200);
});
