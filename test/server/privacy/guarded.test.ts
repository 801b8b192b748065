/** The engine behind the gate, as a program embeds it: the same refusals as the server's. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Engine, EngineOptions, TokenEvent } from '../../../runtime/types.ts';
import { ensureEvaluation } from '../../../server/evaluation.ts';
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
