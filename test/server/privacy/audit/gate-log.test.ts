/** Gate and real log together, over HTTP: a disk that fails and heals, and changes of the store across processes that end at a bad moment. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildApp } from '../../../../server/app.ts';
import { parseSettings } from '../../../../server/config.ts';
import { type Disk, type DiskFile, systemDisk } from '../../../../server/privacy/audit/disk.ts';
import { AuditTrail } from '../../../../server/privacy/audit/trail.ts';
import { openFolder, verifyLog } from '../../../../server/privacy/audit/verify.mjs';
import { Gate } from '../../../../server/privacy/gate.ts';
import type { Store } from '../../../../server/privacy/store.ts';
import { FakeEngine } from '../../../fake-engine.ts';
import { FakeText, say } from '../../../fake-text.ts';
import { begin, createSite, TestClock, type TestSite } from '../agreed-site.ts';

let folder: string;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-gate-log-'));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

const facts = { kind: 'server', version: '0.0.0', profile: 'ab'.repeat(32) } as const;
const clock = new TestClock();

async function openAt(store: Store, disk: Disk = systemDisk): Promise<Gate> {
  const trail = await AuditTrail.open(folder, { facts, disk, wall: clock.wall, roomSize: 2 ** 17, retryMs: 10, stallMs: 20_000 });
  return Gate.open(store, { trail, isLocal: false, wall: clock.wall, monotonic: clock.monotonic, pollMs: 5 });
}

/** By another program than the one that wrote them. */
async function readLog(): Promise<Readonly<Record<string, unknown>>[]> {
  const records: Readonly<Record<string, unknown>>[] = [];
  const onRecord = (_: number, text: string): void => void records.push(JSON.parse(text) as Readonly<Record<string, unknown>>);
  const report = await verifyLog(await openFolder(join(folder, 'audit', '1')), { onRecord });
  expect([report.flaws, report.open]).toEqual([[], 0]);
  return records;
}

/** A store with some methods of its own. */
function change(store: Store, own: Partial<Store>): Store {
  return new Proxy(store, {
    get: (target, name): unknown => {
      const value: unknown = Reflect.get(name in own ? own : target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

test('a change that was recorded by a process that ended before the store knew is not recorded again', async () => {
  const site = await createSite();
  await site.agree();
  const added = (await site.store.listChanges()).length;
  expect(added).toBeGreaterThan(3);
  // It ends between record and drop.
  const lost = change(site.store, { dropChanges: () => Promise.reject(new Error('ended')), [Symbol.asyncDispose]: async () => undefined });
  await (await openAt(lost))[Symbol.asyncDispose]();
  expect(await site.store.listChanges()).toHaveLength(added);
  await site.store.addTenant({ code: 'radiology' }, 'an-admin', begin);
  const gate = await openAt(change(site.store, { [Symbol.asyncDispose]: async () => undefined }));
  await expect.poll(() => site.store.listChanges()).toEqual([]);
  await gate[Symbol.asyncDispose]();
  const numbers = (await readLog()).flatMap((record) => (record['change'] === undefined ? [] : [record['change']]));
  expect(numbers).toHaveLength(added + 1);
  expect(new Set(numbers).size).toBe(added + 1);
});

/** A disk on which nothing can be written to a file of the log while it is broken, by this error. */
class BreakableDisk implements Disk {
  error: string | undefined;
  readonly create = async (path: string): Promise<DiskFile> => this.#guard(await systemDisk.create(path));
  readonly open = async (path: string): Promise<DiskFile> => this.#guard(await systemDisk.open(path));
  readonly rename = systemDisk.rename;
  readonly remove = systemDisk.remove;
  readonly syncFolder = systemDisk.syncFolder;

  #guard(file: DiskFile): DiskFile {
    const demand = async (): Promise<void> => {
      if (this.error !== undefined) throw Object.assign(new Error('broken'), { code: this.error });
    };
    return { ...file, write: (bytes, position) => demand().then(() => file.write(bytes, position)), sync: () => demand().then(() => file.sync()) };
  }
}

async function serve(
  site: TestSite,
  disk: Disk,
): Promise<{ readonly engine: FakeEngine; readonly gate: Gate; ask(path: string, stream?: boolean): Promise<Response> }> {
  await site.deploy(await site.agree());
  const { text } = await site.key();
  const gate = await openAt(site.store, disk);
  const engine = new FakeEngine({ script: say('abc'.repeat(900)), stepMs: 2 });
  const app = buildApp({ models: { current: { engine, text: new FakeText() } }, gate, settings: parseSettings({}) });
  const url = await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' });
  closers.push(
    () => gate[Symbol.asyncDispose](),
    () => app.close(),
  );
  const ask = (path: string, stream?: boolean): Promise<Response> =>
    fetch(`${url}${path}`, {
      headers: { 'content-type': 'application/json', authorization: `Bearer ${text}` },
      ...(stream === undefined ? {} : { method: 'POST', body: JSON.stringify({ model: 'default', prompt: 'Hi', max_tokens: stream ? 2000 : 2, stream }) }),
    });
  return { engine, gate, ask };
}

test.each([
  ['fails', 'EIO', 'write'],
  ['is full, beyond what was kept for the last records,', 'ENOSPC', 'space'],
])('a disk that %s ends streams, refuses requests, and is taken again when it is well; nothing of that is lost', async (_, error, cause) => {
  const disk = new BreakableDisk();
  const { engine, gate, ask } = await serve(await createSite(), disk);
  const stream = await ask('/v1/completions', true);
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  disk.error = error;
  // The next record finds out. Its request is not let in, or not told that it was.
  const found = await ask('/v1/completions', false);
  expect([found.status, ((await found.json()) as { error: { code: string } }).error.code]).toEqual([503, 'audit_unavailable']);
  let rest = '';
  for (let next = await reader.read(); !next.done; next = await reader.read()) rest += Buffer.from(next.value).toString();
  expect(rest).toContain('"code":"audit_unavailable"');
  expect(rest).not.toContain('[DONE]');
  expect(gate.audit.fault).toBe(cause);
  const computed = engine.requests.length;
  const refused = await ask('/v1/completions', false);
  expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true]);
  const ready = await ask('/ready');
  expect([ready.status, await ready.json()]).toEqual([503, { status: 'audit_unavailable' }]);
  expect((await ask('/health')).status).toBe(200);
  expect(engine.requests).toHaveLength(computed);
  disk.error = undefined;
  await expect.poll(async () => (await ask('/ready')).status, { timeout: 10_000 }).toBe(200);
  const answered = await ask('/v1/completions', false);
  expect(answered.status).toBe(200);
  await answered.text();
  for (const close of closers.splice(0).reverse()) await close();

  const records = await readLog();
  const of = (response: Response): Readonly<Record<string, unknown>>[] => records.filter(({ request }) => request === response.headers.get('x-request-id'));
  const told = (response: Response): unknown[] => of(response).map(({ event, ending, refusal }) => [event, ending, refusal]);
  expect(told(stream)).toEqual([
    ['intent', undefined, undefined],
    ['outcome', 'cancelled', 'audit_unavailable'],
  ]);
  expect(told(found)).toEqual([
    ['intent', undefined, undefined],
    ['outcome', 'refused', 'audit_unavailable'],
  ]);
  expect(told(refused)).toEqual([]);
  expect(told(answered)).toEqual([
    ['intent', undefined, undefined],
    ['outcome', 'length', undefined],
  ]);
  const states = records.filter(({ event }) => event === 'audit_stopped' || event === 'audit_resumed').map(({ event, cause: why }) => [event, why]);
  expect(states).toEqual([
    ['audit_stopped', cause],
    ['audit_resumed', cause],
  ]);
});
