/** The engine behind the gate, as a program embeds it: the same refusals as the server's. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Engine, EngineOptions, TokenEvent } from '../../../runtime/types.ts';
import { ensureEvaluation } from '../../../server/evaluation.ts';
import { openFolder, verifyLog } from '../../../server/privacy/audit/verify.mjs';
import { gatherFacts } from '../../../server/privacy/deployment/deployment.ts';
import { openGate } from '../../../server/privacy/gate.ts';
import { openGuardedEngine } from '../../../server/privacy/guarded.ts';
import { createSecret } from '../../../server/privacy/keys.ts';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import type { Store } from '../../../server/privacy/store.ts';
import { FakeEngine } from '../../fake-engine.ts';
import { say } from '../../fake-text.ts';
import { collect } from '../help.ts';
import { createSite, day, formatTime } from './agreed-site.ts';

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'inward-guarded-'));
  rmSync(folder, { recursive: true });
  store = await openStore(join(folder, 'inward.sqlite'), { create: true });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const promptIds = Uint32Array.of(1, 2, 3);
const opened: FakeEngine[] = [];
const open = async (_: EngineOptions): Promise<Engine> => {
  const engine = new FakeEngine({ script: say('Hello, world. '.repeat(200)), stepMs: 1 });
  opened.push(engine);
  return engine;
};
beforeEach(() => {
  opened.length = 0;
});
const openWith = (key: string) => openGuardedEngine({ modelPath: 'm.gguf' }, { site: folder, key, open });
const evaluate = async (): Promise<string> => (await ensureEvaluation(store, folder, Date.now())) as string;

test('without an agreement nothing is loaded', async () => {
  await expect(openWith(createSecret('synthetic').text)).rejects.toMatchObject({ code: 'agreement_missing' });
  expect(opened).toHaveLength(0);
});

test('with a wrong key nothing is loaded', async () => {
  await evaluate();
  await expect(openWith(createSecret('synthetic').text)).rejects.toMatchObject({ code: 'key_invalid' });
  expect(opened).toHaveLength(0);
});

test('with an agreement and a key it answers as the engine does, for the tenant of the key', async () => {
  await using engine = await openWith(await evaluate());
  const events = await collect(engine.generate({ promptIds, maxTokens: 5 }));
  expect(events.map(({ type }) => type)).toEqual(['token', 'token', 'token', 'token', 'token', 'end']);
  const [tenant] = (await store.load()).tenants;
  expect(opened[0]?.requests[0]).toMatchObject({ tenant: tenant?.number, priority: 'interactive' });
});

test('texts are embedded for the tenant of the key, each as a request of its own, and not after the agreement', async () => {
  const key = await evaluate();
  const encoder = { pooling: 'mean', isNormalized: false, length: 1 } as const;
  const engine = new FakeEngine({ script: () => [], info: { encoder }, embedding: (ids) => Float32Array.of(ids.length) });
  await using guarded = await openGuardedEngine({ modelPath: 'm.gguf' }, { site: folder, key, open: async () => engine });
  const texts = [promptIds, Uint32Array.of(4), Uint32Array.of(5, 6)];
  expect((await guarded.embed(texts, { tenant: 99 })).map(({ values }) => [...values])).toEqual([[3], [1], [2]]);
  const [tenant] = (await store.load()).tenants;
  expect(engine.requests.map((request) => request.tenant)).toEqual([tenant?.number, tenant?.number, tenant?.number]);
  const [agreement] = (await store.load()).agreements;
  await store.revokeAgreement(String(agreement?.envelope.record['id']), 'officer', Date.now());
  await expect(guarded.embed(texts)).rejects.toMatchObject({ code: 'agreement_revoked' });
});

test('a revocation ends an answer that runs and refuses the next, and the engine is given up', async () => {
  await using engine = await openWith(await evaluate());
  const answer = engine.generate({ promptIds, maxTokens: 4000 })[Symbol.asyncIterator]() as AsyncIterator<TokenEvent>;
  await answer.next();
  const [agreement] = (await store.load()).agreements;
  await store.revokeAgreement(String(agreement?.envelope.record['id']), 'officer', Date.now());
  const end = async (): Promise<void> => {
    while (!(await answer.next()).done);
  };
  await expect(end()).rejects.toMatchObject({ code: 'agreement_revoked' });
  await expect(collect(engine.generate({ promptIds, maxTokens: 1 }))).rejects.toMatchObject({ code: 'agreement_revoked' });
  expect(engine.isReady).toBe(false);
});

test('where the manifest was signed for another machine nothing is loaded', async () => {
  const site = await createSite(store);
  const { text: key } = await site.key({ scopes: { purposes: ['documentation'] } });
  const now = Date.now();
  await site.deploy(await site.agree({ effective: formatTime(now - day), expires: formatTime(now + day) }));
  const modelPath = join(folder, 'm.gguf');
  writeFileSync(modelPath, 'weights');
  const guard = { site: folder, key, purpose: 'documentation', open } as const;
  await expect(openGuardedEngine({ modelPath, device: 'swiftshader' }, guard)).rejects.toThrow(/The program is another one: .*\./);
  expect(opened).toHaveLength(0);
});

test('for PHI the engine is told to keep nothing', async () => {
  const modelPath = join(folder, 'm.gguf');
  writeFileSync(modelPath, 'weights');
  const { hosts, ...facts } = await gatherFacts({ deviceName: 'swiftshader', modelPaths: [modelPath] });
  const site = await createSite(store);
  const { text: key } = await site.key({ scopes: { purposes: ['documentation'] } });
  const now = Date.now();
  await site.deploy(await site.agree({ effective: formatTime(now - day), expires: formatTime(now + day) }), { host: hosts[0] ?? '', ...facts });
  const given: EngineOptions[] = [];
  const keep = (options: EngineOptions): Promise<Engine> => {
    given.push(options);
    return open(options);
  };
  const guard = { site: folder, key, purpose: 'documentation', swap: 'allow', open: keep } as const;
  await using _ = await openGuardedEngine({ modelPath, device: 'swiftshader' }, guard);
  expect(given).toEqual([{ modelPath, device: 'swiftshader', keepsNothing: true }]);
});

test('a quota holds over requests, by what they used', async () => {
  const key = await evaluate();
  const [known] = (await store.load()).keys;
  if (known === undefined) throw new Error('no key');
  await store.setTenantQuota({ code: known.tenant, tokensPerDay: 20 }, 'setup', Date.now());
  await using engine = await openWith(key);
  await collect(engine.generate({ promptIds, maxTokens: 5 }));
  await expect(collect(engine.generate({ promptIds, maxTokens: 10 }))).rejects.toMatchObject({ code: 'quota_exceeded' });
  await collect(engine.generate({ promptIds, maxTokens: 9 }));
});

test('an agreement that is revoked while the model is loaded leaves no model behind', async () => {
  const key = await evaluate();
  let isClosed = false;
  const slow = async (): Promise<Engine> => {
    const [agreement] = (await store.load()).agreements;
    await store.revokeAgreement(String(agreement?.envelope.record['id']), 'officer', Date.now());
    // Longer than the gate takes to look.
    await new Promise((resolve) => setTimeout(resolve, 600));
    const engine = new FakeEngine({ script: say('a') });
    engine[Symbol.asyncDispose] = async () => {
      isClosed = true;
    };
    return engine;
  };
  await expect(openGuardedEngine({ modelPath: 'm.gguf' }, { site: folder, key, open: slow })).rejects.toMatchObject({ code: 'agreement_missing' });
  expect(isClosed).toBe(true);
});

/** The records of a log of the site, by another program than the one that wrote them; their log is good. */
async function readLog(number: number): Promise<Readonly<Record<string, unknown>>[]> {
  const records: Readonly<Record<string, unknown>>[] = [];
  const onRecord = (_: number, text: string): void => void records.push(JSON.parse(text) as Readonly<Record<string, unknown>>);
  const report = await verifyLog(await openFolder(join(folder, 'audit', String(number))), { onRecord });
  expect(report.flaws).toEqual([]);
  // Without their places, and without the changes that made the site.
  return records.filter(({ at }) => at === undefined).map(({ seq, time, up, boot, host, ...event }) => event);
}
const namesOf = (records: readonly Readonly<Record<string, unknown>>[]): unknown[] => records.map(({ event }) => event);

test('beside a running server it writes a log of its own: its start, the model, each request, its end', async () => {
  const key = await evaluate();
  const facts = { kind: 'server', version: '0.0.0', profile: 'ab'.repeat(32) } as const;
  const server = await openGate(folder, { isLocal: true, facts });
  const engine = await openWith(key);
  await collect(engine.generate({ promptIds, maxTokens: 5 }));
  await expect(collect(engine.generate({ promptIds: new Uint32Array(5000), maxTokens: 5 }))).rejects.toThrow();
  for await (const event of engine.generate({ promptIds, maxTokens: 4000 })) if (event.type === 'token') break;
  await collect(engine.generate({ promptIds, maxTokens: 4000 }, AbortSignal.timeout(20))).catch(() => undefined);
  await engine[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();

  expect(namesOf(await readLog(1))).toEqual(['log_created', 'started', 'stopped']);
  const [created, started, loaded, ...others] = await readLog(2);
  expect([created?.['event'], started]).toEqual(['log_created', expect.objectContaining({ event: 'started', kind: 'embedded', mode: 'evaluation' })]);
  expect(loaded).toEqual({ event: 'model_loaded', model: 'fake-model' });
  const [agreement] = (await store.load()).agreements;
  const [known] = (await store.load()).keys;
  const intent = {
    ...{ event: 'intent', request: expect.any(String), route: 'embedded', address: '127.0.0.1', known: 'secret', key: known?.id, tenant: 'main' },
    purpose: 'evaluation',
    ...{ agreement: agreement?.envelope.record['id'], data: 'synthetic', priority: 'interactive', model: 'fake-model', region: expect.any(String) },
  };
  const outcome = { event: 'outcome', request: expect.any(String), duration: expect.any(Number), cached: false };
  const atLeastOne = expect.toSatisfy((tokens: number) => tokens >= 1);
  expect(others).toEqual([
    intent,
    // 3 and 5, each rounded up to a power of two.
    { ...outcome, ending: 'length', promptTokens: 4, completionTokens: 8 },
    intent,
    { ...outcome, ending: 'refused', error: 'prompt_too_long', promptTokens: 0, completionTokens: 0 },
    intent,
    { ...outcome, ending: 'cancelled', promptTokens: 4, completionTokens: 1 },
    intent,
    { ...outcome, ending: 'cancelled', error: 'aborted', promptTokens: 4, completionTokens: atLeastOne },
    { event: 'model_unloaded', zeroed: true },
    { event: 'stopped', kind: 'embedded' },
  ]);
  // Each outcome is that of the intent before it.
  const requests = others.flatMap(({ request }) => (request === undefined ? [] : [request]));
  expect(requests.filter((_, index) => index % 2 === 0)).toEqual(requests.filter((_, index) => index % 2 === 1));
});

test('what is refused and what is cut is on record', async () => {
  const key = await evaluate();
  await expect(openWith(createSecret('synthetic').text)).rejects.toMatchObject({ code: 'key_invalid' });
  const engine = await openWith(key);
  const answer = engine.generate({ promptIds, maxTokens: 4000 })[Symbol.asyncIterator]() as AsyncIterator<TokenEvent>;
  await answer.next();
  const [known] = (await store.load()).keys;
  await store.revokeKey(known?.id ?? '', 'an-admin', Date.now());
  await expect(collect({ [Symbol.asyncIterator]: () => answer })).rejects.toMatchObject({ code: 'key_revoked' });
  await expect(collect(engine.generate({ promptIds, maxTokens: 1 }))).rejects.toMatchObject({ code: 'key_revoked' });
  await engine[Symbol.asyncDispose]();
  const from = { route: 'embedded', address: '127.0.0.1' };
  const records = await readLog(1);
  expect(namesOf(records)).toEqual([
    'log_created',
    'started',
    'auth_failed',
    'stopped',
    'started',
    'model_loaded',
    'intent',
    'outcome',
    'auth_failed',
    'model_unloaded',
    'stopped',
  ]);
  expect(records[2]).toEqual({ event: 'auth_failed', ...from, refusal: 'key_invalid' });
  expect(records[7]).toMatchObject({ ending: 'cancelled', refusal: 'key_revoked', promptTokens: 4 });
  expect(records[8]).toEqual({ event: 'auth_failed', ...from, known: 'secret', refusal: 'key_revoked', key: known?.id });
});

test('an answer that nobody reads to its end, and that ends with its engine, has its outcome', async () => {
  const engine = await openWith(await evaluate());
  const answer = engine.generate({ promptIds, maxTokens: 4000 })[Symbol.asyncIterator]() as AsyncIterator<TokenEvent>;
  await answer.next();
  await engine[Symbol.asyncDispose]();
  await expect(answer.next()).rejects.toThrow();
  await sleep(20);
  expect(namesOf(await readLog(1)).slice(-4)).toEqual(['intent', 'model_unloaded', 'outcome', 'stopped']);
});
