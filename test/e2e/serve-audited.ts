/**
 * A process that serves a site with its real gate and audit trail over a scripted engine, for tests that kill it. Segments are small, so
 * that many end, and are written in two halves with a while between them, so that many are torn. It tells its parent where it
 * listens, drains at SIGTERM, and ends with its parent. Usage: serve-audited.ts FOLDER
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { buildApp } from '../../server/app.ts';
import { parseSettings } from '../../server/config.ts';
import { ensureEvaluation } from '../../server/evaluation.ts';
import { createLife } from '../../server/life.ts';
import { type Disk, type DiskFile, systemDisk } from '../../server/privacy/audit/disk.ts';
import { AuditTrail } from '../../server/privacy/audit/trail.ts';
import { storeFile } from '../../server/privacy/folder.ts';
import { Gate } from '../../server/privacy/gate.ts';
import { openStore } from '../../server/privacy/store/sqlite.ts';
import { FakeEngine } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';

/** What the parent is told. */
export interface Listening {
  readonly url: string;
  readonly key: string;
}

const tear = (file: DiskFile): DiskFile => ({
  ...file,
  write: async (bytes, position) => {
    const middle = bytes.length >> 1;
    await file.write(bytes.subarray(0, middle), position);
    await setTimeout(Math.random() * 10);
    await file.write(bytes.subarray(middle), position + middle);
  },
});
const isSegment = (path: string): boolean => path.endsWith('.log');
const disk: Disk = {
  ...systemDisk,
  create: async (path) => (isSegment(path) ? tear(await systemDisk.create(path)) : systemDisk.create(path)),
  open: async (path) => (isSegment(path) ? tear(await systemDisk.open(path)) : systemDisk.open(path)),
};

process.once('disconnect', () => process.exit(1));
const [, , folder = ''] = process.argv;
const store = await openStore(join(folder, storeFile), { create: true });
const key = (await ensureEvaluation(store, folder, Date.now())) ?? '';
const facts = { kind: 'server', version: '0.0.0', profile: 'ab'.repeat(32) } as const;
const trail = await AuditTrail.open(folder, { facts, disk, segmentSize: 2 ** 14, roomSize: 2 ** 17 });
const gate = await Gate.open(store, { isLocal: true, trail });
const models = { current: { engine: new FakeEngine({ script: say('abc'.repeat(100)), stepMs: 1 }), text: new FakeText() } };
const life = createLife();
const app = buildApp({ models, gate, life, settings: parseSettings({}) });
process.once('SIGTERM', async () => {
  await life.drain(200);
  await app.close();
  await gate[Symbol.asyncDispose]();
  process.exit(0);
});
const url = await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' });
process.send?.({ url, key } satisfies Listening);
