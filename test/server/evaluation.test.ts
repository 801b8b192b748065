/** What `npm start` makes, and a server whose agreement comes and goes while it runs. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseSettings, type SettingsInput } from '../../server/config.ts';
import { ensureEvaluation } from '../../server/evaluation.ts';
import { serve } from '../../server/main.ts';
import { readAgreement } from '../../server/privacy/agreement.ts';
import { gatherFacts } from '../../server/privacy/deployment/deployment.ts';
import { hashPublicKey, signEnvelope } from '../../server/privacy/envelope.ts';
import { createSecret } from '../../server/privacy/keys.ts';
import { openStore } from '../../server/privacy/store/sqlite.ts';
import type { Store } from '../../server/privacy/store.ts';
import { say } from '../fake-text.ts';
import { FakeWorld } from './fake-world.ts';
import { createSite, formatTime } from './privacy/agreed-site.ts';
import { FakeHost } from './privacy/deployment/fake-host.ts';

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'inward-evaluation-')), 'site');
  store = await openStore(join(folder, 'inward.sqlite'), { create: true });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

const day = 86_400_000;
const now = Math.floor(Date.now() / 1000) * 1000;
const evaluate = (at: number = now) => ensureEvaluation(store, folder, at);

test('a synthetic agreement of 30 days and one key for this machine, once', async () => {
  const key = await evaluate();
  expect(await evaluate(now + day)).toBe(key);
  const { agreements, keys, tenants } = await store.load();
  expect([agreements.length, keys.length, tenants.length]).toEqual([1, 1, 1]);
  const agreement = readAgreement(agreements[0]?.envelope as never);
  expect(agreement).toMatchObject({ kind: 'synthetic', purposes: ['evaluation'] });
  expect(Date.parse(agreement.expires ?? '') - Date.parse(agreement.effective)).toBe(30 * day);
  expect(keys[0]).toMatchObject({ data: 'synthetic', scopes: { networks: ['127.0.0.0/8', '::1'] } });
  expect(statSync(join(folder, 'evaluation.key')).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(folder, 'inward.sqlite')).includes(String(key).slice(20, 60))).toBe(false);
});

test('the audit trail gets an event of each step, by nobody but the program', async () => {
  await evaluate();
  const { agreements, keys, trustedKeys } = await store.load();
  const by = { by: 'setup', at: now };
  expect((await store.listChanges()).map(({ event }) => event)).toEqual([
    { event: 'trusted_key_added', publicKey: trustedKeys[0]?.id, ...by },
    { event: 'agreement_added', agreement: agreements[0]?.envelope.record['id'], kind: 'synthetic', record: expect.stringMatching(/^[0-9a-f]{64}$/), ...by },
    { event: 'tenant_added', tenant: 'main', ...by },
    { event: 'key_created', key: keys[0]?.id, tenant: 'main', data: 'synthetic', ...by },
  ]);
});

test('after 30 days a new agreement, with the same key', async () => {
  const key = await evaluate();
  expect(await evaluate(now + 31 * day)).toBe(key);
  const { agreements } = await store.load();
  expect(agreements.map(({ revokedAt }) => revokedAt === undefined)).toEqual([false, true]);
});

test('a key that was revoked is replaced', async () => {
  const key = await evaluate();
  const [known] = (await store.load()).keys;
  await store.revokeKey(known?.id ?? '', 'somebody', now);
  expect(await evaluate(now + 1000)).not.toBe(key);
});

test('a site for PHI is left alone', async () => {
  await createSite(store);
  expect(await evaluate()).toBeUndefined();
  expect((await store.load()).agreements).toHaveLength(0);
});

interface Served {
  readonly world: FakeWorld;
  readonly url: string;
  readonly code: Promise<number>;
}

async function start(isEvaluation: boolean, given: SettingsInput = {}, hostRoot?: string): Promise<Served> {
  const world = new FakeWorld({ script: say('Hello') });
  if (hostRoot !== undefined) world.hostRoot = hostRoot;
  const listening = Promise.withResolvers<string>();
  const code = serve({ settings: parseSettings({ port: 0, site: folder, ...given }), isEvaluation, onListening: listening.resolve }, world);
  code.catch(listening.reject);
  return { world, url: await listening.promise, code };
}

async function ask(url: string, key: string | undefined): Promise<readonly [status: number, code: string | undefined, mode: string | null]> {
  const body = JSON.stringify({ model: 'default', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 2 });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body });
  const { error } = (await response.json()) as { readonly error?: { readonly code: string } };
  return [response.status, error?.code, response.headers.get('x-inward-mode')];
}
const stateOf = async (url: string): Promise<string> => ((await (await fetch(`${url}/ready`)).json()) as { readonly status: string }).status;

test('inward serve makes nothing: no model is loaded, and everything but the state is refused', async () => {
  const { world, url, code } = await start(false);
  expect(world.opened).toHaveLength(0);
  expect(world.openedTexts).toHaveLength(0);
  expect(world.printed).toContain('NO AGREEMENT IS IN FORCE');
  expect(await ask(url, 'x')).toEqual([403, 'agreement_missing', 'closed']);
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect(await stateOf(url)).toBe('closed');
  expect((await store.load()).agreements).toHaveLength(0);
  world.send('SIGTERM');
  expect(await code).toBe(0);
});

test('the model is loaded when an agreement is added, and unloaded when it is revoked, while the server runs', async () => {
  const { world, url, code } = await start(false);
  const key = await evaluate(Date.now());
  await expect.poll(() => stateOf(url)).toBe('ready');
  expect(world.opened).toHaveLength(1);
  expect([...world.opened, ...world.openedTexts].some((options) => 'keepsNothing' in options)).toBe(false);
  expect(await ask(url, key)).toEqual([200, undefined, 'evaluation; not-for-phi']);
  let isClosed = false;
  world.engine[Symbol.asyncDispose] = async () => {
    isClosed = true;
  };
  const [agreement] = (await store.load()).agreements;
  await store.revokeAgreement(String(agreement?.envelope.record['id']), 'officer', Date.now());
  expect(await ask(url, key)).toEqual([403, 'agreement_revoked', 'closed']);
  await expect.poll(() => isClosed).toBe(true);
  expect(world.engine.flushes).toBeGreaterThan(0);
  expect(await stateOf(url)).toBe('closed');
  world.send('SIGTERM');
  expect(await code).toBe(0);
});

test('a model that does not load while the server runs is told, and the server stays', async () => {
  const { world, url, code } = await start(false);
  world.openEngine = async () => {
    throw new Error('secret words');
  };
  const key = await evaluate(Date.now());
  await expect.poll(async () => (await ask(url, key))[1]).toBe('model_failed');
  expect(world.complained).toContain('model_load_failed');
  expect(world.complained).not.toContain('secret words');
  world.send('SIGTERM');
  expect(await code).toBe(0);
});

test('under a new manifest the model is opened anew', async () => {
  await evaluate(Date.now());
  const { world, url, code } = await start(false);
  expect(world.opened).toHaveLength(1);
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const by = { addedAt: now, addedBy: 'somebody' };
  await store.addTrustedKey({ id: hashPublicKey(publicKey), pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(), ...by });
  const record = {
    id: 'mf-00000001',
    site: 'a-site',
    region: 'local',
    host: 'cd'.repeat(32),
    devices: [],
    software: 'ef'.repeat(32),
    weights: [],
    agreement: 'agr-00000000',
    outbound: [],
    issued: '2026-01-01T00:00:00Z',
  };
  await store.addRecord({ envelope: signEnvelope({ type: 'inward.manifest.v1', record, signatures: [] }, privateKey), ...by });
  await expect.poll(() => world.opened.length).toBe(2);
  await expect.poll(() => stateOf(url)).toBe('ready');
  world.send('SIGTERM');
  expect(await code).toBe(0);
});

/** The stand-in for the engine reads none, but what would be served is hashed. */
function writeModel(): string {
  const path = join(folder, '..', 'model.gguf');
  writeFileSync(path, 'weights');
  return path;
}

/** A site for PHI whose manifest was signed for another machine; gives a key that the agreement would let in. */
async function deployElsewhere(): Promise<string> {
  const site = await createSite(store);
  const { text } = await site.key();
  await site.deploy(await site.agree({ effective: formatTime(now - day), expires: formatTime(now + day) }));
  return text;
}

test('a manifest that was signed for another machine: the server does not start, and says what differs', async () => {
  await deployElsewhere();
  await expect(start(false, { model: writeModel() })).rejects.toThrow(/The program is another one: .*\./);
});

test('a manifest for another machine that comes while the server runs: nothing is loaded, and nothing served', async () => {
  const { world, url, code } = await start(false, { model: writeModel() });
  const key = await deployElsewhere();
  await expect.poll(async () => (await ask(url, key)).slice(0, 2)).toEqual([403, 'manifest_mismatch']);
  expect(world.opened).toHaveLength(0);
  world.send('SIGTERM');
  expect(await code).toBe(0);
});

test('for PHI engine and text process are told to keep nothing, and where memory may be swapped nothing is loaded', async () => {
  using host = new FakeHost();
  const settings = { model: writeModel(), device: 'swiftshader' } as const;
  const { hosts, ...facts } = await gatherFacts({ deviceName: settings.device, modelPaths: [settings.model], root: host.root });
  const site = await createSite(store);
  await site.deploy(await site.agree({ effective: formatTime(now - day), expires: formatTime(now + day) }), { host: hosts[0] ?? '', ...facts });
  const { world, url, code } = await start(false, settings, host.root);
  expect([world.opened, world.openedTexts]).toEqual([[expect.objectContaining({ keepsNothing: true })], [expect.objectContaining({ keepsNothing: true })]]);
  const authorization = `Bearer ${await site.person('an-auditor', 'auditor')}`;
  const status = await (await fetch(`${url}/inward/status`, { headers: { authorization } })).json();
  expect(status).toMatchObject({ layers: world.layers });
  world.send('SIGTERM');
  expect(await code).toBe(0);
  host.write('proc/swaps', 'Filename Type Size Used Priority\n/swapfile file 1048572 0 -2\n');
  await expect(start(false, settings, host.root)).rejects.toThrow(/^Memory may be swapped: [^\n]*\.$/);
  const allowed = await start(false, { ...settings, swap: 'allow' }, host.root);
  expect(allowed.world.opened).toHaveLength(1);
  allowed.world.send('SIGTERM');
  expect(await allowed.code).toBe(0);
});

test('beside keys for PHI nothing is made', async () => {
  await store.addTenant({ code: 'main' }, 'setup', now);
  const { id, credential } = createSecret('phi');
  const scopes = { models: [], routes: ['chat'], purposes: ['documentation'], networks: [], priority: 'interactive' } as const;
  await store.addKey({ id, label: 'scribe', tenant: 'main', data: 'phi', credential, scopes, isSealed: false, createdAt: now, createdBy: 'somebody' });
  expect(await evaluate()).toBeUndefined();
  expect((await store.load()).agreements).toHaveLength(0);
});
