/**
 * Every route, with every kind of holder, in every state of the agreement: what is answered is worked out here from the
 * rules as docs/administrator.md tells them, not from the server's own table.
 */
import { describe, expect, test } from 'vitest';
import { buildApp } from '../../server/app.ts';
import { parseSettings } from '../../server/config.ts';
import { Gate } from '../../server/privacy/gate.ts';
import { type Role, type RouteScope, roles, routePatterns, routeScopes } from '../../server/privacy/words.ts';
import { FakeEngine } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';
import { begin, createSite, day, formatTime, TestClock, type TestSite } from './privacy/agreed-site.ts';
import { createTestTrail } from './privacy/test-trail.ts';

/** What each state does to the site; `open` says whether a key for PHI of the tenant main may reach the model in it. */
const states: Readonly<Record<string, { readonly open: boolean; readonly make: (site: TestSite, clock: TestClock) => Promise<void> }>> = {
  'no agreement': { open: false, make: async () => undefined },
  'in force': { open: true, make: async (site) => site.deploy(await site.agree()) },
  'for this department': { open: true, make: async (site) => site.deploy(await site.agree({ tenants: ['main'] })) },
  'for another department': { open: false, make: async (site) => site.deploy(await site.agree({ tenants: ['lab'] })) },
  'not begun': {
    open: false,
    make: async (site) => site.deploy(await site.agree({ effective: formatTime(begin + day), expires: formatTime(begin + 2 * day) })),
  },
  expired: {
    open: false,
    make: async (site, clock) => {
      await site.deploy(await site.agree());
      clock.pass(101 * day);
    },
  },
  revoked: {
    open: false,
    make: async (site) => {
      const id = await site.agree();
      await site.deploy(id);
      await site.store.revokeAgreement(id, 'officer', begin + 1000);
    },
  },
  'of another region': { open: false, make: async (site) => site.deploy(await site.agree({ regions: ['us-west'] })) },
  'without a manifest': { open: false, make: async (site) => void (await site.agree()) },
  'with a manifest of another agreement': { open: false, make: (site) => site.agree().then(() => site.deploy('agr-somethingelse')) },
  'for other purposes': { open: false, make: async (site) => site.deploy(await site.agree({ purposes: ['coding'] })) },
  synthetic: {
    open: false,
    make: async (site) =>
      void (await site.agree({ kind: 'synthetic', purposes: ['evaluation'], documentSha256: undefined, expires: formatTime(begin + 30 * day) })),
  },
};

type Holder = {
  readonly name: string;
  readonly scope?: RouteScope;
  readonly role?: Role;
  readonly isDead?: boolean;
  readonly make: (site: TestSite) => Promise<string>;
};

const holders: readonly Holder[] = [
  { name: 'nobody', isDead: true, make: async () => '' },
  { name: 'an unknown key', isDead: true, make: async () => (await (await createSite()).key()).text },
  { name: 'a revoked key', isDead: true, make: (site) => deadKey(site, { revokedAt: begin, revokedBy: 'an-admin' }) },
  { name: 'an expired key', isDead: true, make: (site) => deadKey(site, { expiresAt: begin }) },
  ...routeScopes.map((scope): Holder => ({ name: `a key for ${scope}`, scope, make: async (site) => (await site.key({ scopes: { routes: [scope] } })).text })),
  ...roles.map((role): Holder => ({ name: `a person as ${role}`, role, make: (site) => site.person(`the-${role}`, role) })),
];

async function deadKey(site: TestSite, changes: Parameters<TestSite['key']>[0]): Promise<string> {
  return (await site.key({ ...changes, scopes: { routes: [...routeScopes] } })).text;
}

interface Route {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly payload?: object;
  /** What lets a key in, and which roles. */
  readonly scope?: RouteScope | readonly RouteScope[];
  readonly roles?: readonly Role[];
  readonly isInference?: boolean;
  readonly isOpen?: boolean;
  /** The device computes nothing for it. */
  readonly isCounting?: boolean;
  /** Status once let in. */
  readonly status: number;
}

const routes: Readonly<Record<string, Route>> = {
  '/health': { method: 'GET', url: '/health', isOpen: true, status: 200 },
  '/ready': { method: 'GET', url: '/ready', isOpen: true, status: 0 },
  '/openapi.json': { method: 'GET', url: '/openapi.json', isOpen: true, status: 200 },
  '/docs': { method: 'GET', url: '/docs', isOpen: true, status: 200 },
  '/metrics': { method: 'GET', url: '/metrics', scope: 'metrics', roles: ['admin', 'operator', 'auditor'], status: 200 },
  '/inward/status': { method: 'GET', url: '/inward/status', roles: ['admin', 'compliance', 'operator', 'auditor', 'viewer'], status: 200 },
  '/inward/review': { method: 'GET', url: '/inward/review', roles: ['compliance', 'auditor'], status: 200 },
  '/v1/models': { method: 'GET', url: '/v1/models', scope: 'models', isInference: true, status: 200 },
  '/v1/models/:id': { method: 'GET', url: '/v1/models/default', scope: 'models', isInference: true, status: 200 },
  '/v1/chat/completions': {
    ...{ method: 'POST', url: '/v1/chat/completions', scope: 'chat', isInference: true, status: 200 },
    payload: { model: 'default', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 2 },
  },
  '/v1/completions': {
    ...{ method: 'POST', url: '/v1/completions', scope: 'completions', isInference: true, status: 200 },
    payload: { model: 'default', prompt: 'Hi', max_tokens: 2 },
  },
  // The engine of this test is a decoder, which refuses it.
  '/v1/embeddings': {
    ...{ method: 'POST', url: '/v1/embeddings', scope: 'completions', isInference: true, status: 400, isCounting: true },
    payload: { model: 'default', input: 'Hi' },
  },
  '/v1/messages': {
    ...{ method: 'POST', url: '/v1/messages', scope: 'chat', isInference: true, status: 200 },
    payload: { model: 'default', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 2 },
  },
  '/v1/chat/completions/render': {
    ...{ method: 'POST', url: '/v1/chat/completions/render', scope: 'chat', isInference: true, status: 200, isCounting: true },
    payload: { model: 'default', messages: [{ role: 'user', content: 'Hi' }] },
  },
  '/tokenize': {
    ...{ method: 'POST', url: '/tokenize', scope: ['chat', 'completions'], isInference: true, status: 200, isCounting: true },
    payload: { prompt: 'Hi' },
  },
  '/detokenize': {
    ...{ method: 'POST', url: '/detokenize', scope: ['chat', 'completions'], isInference: true, status: 200, isCounting: true },
    payload: { tokens: [72, 105] },
  },
  '/tokenizer_info': { method: 'GET', url: '/tokenizer_info', scope: ['chat', 'completions'], isInference: true, status: 200 },
  '/v1/deidentify': {
    ...{ method: 'POST', url: '/v1/deidentify', scope: ['chat', 'completions'], isInference: true, status: 200, isCounting: true },
    payload: { text: 'Hi' },
  },
  '/v1/responses': {
    ...{ method: 'POST', url: '/v1/responses', scope: 'chat', isInference: true, status: 200 },
    payload: { model: 'default', input: 'Hi', max_output_tokens: 2 },
  },
  '/v1/messages/count_tokens': {
    ...{ method: 'POST', url: '/v1/messages/count_tokens', scope: 'chat', isInference: true, status: 200, isCounting: true },
    payload: { model: 'default', messages: [{ role: 'user', content: 'Hi' }] },
  },
};

/** The status that the rules give; undefined: it is not a matter of access. */
function expectedStatus(route: Route, holder: Holder, isOpen: boolean, hasAny: boolean): number | undefined {
  if (route.isOpen) return route.status === 0 ? undefined : route.status;
  // Nobody learns anything about keys while the gate is closed to all.
  if (route.isInference && !hasAny) return 403;
  if (holder.isDead) return 401;
  const isAllowed =
    holder.role === undefined ? holder.scope !== undefined && [route.scope ?? []].flat().includes(holder.scope) : (route.roles?.includes(holder.role) ?? false);
  if (!isAllowed) return 403;
  return route.isInference && !isOpen ? 403 : route.status;
}

/** States in which an agreement is in force for somebody here, though perhaps not for this key. */
const forSomebody = new Set(['in force', 'for this department', 'for another department', 'for other purposes', 'synthetic']);

test('every route of the server is in the table of this test', () => {
  expect(Object.keys(routes).sort()).toEqual([...routePatterns].sort());
});

describe.each(Object.entries(states))('agreement %s', (state, { open, make }) => {
  test.each(holders)('$name gets what the rules say, on every route', async (holder) => {
    const site = await createSite();
    const clock = new TestClock();
    const text = await holder.make(site);
    await make(site, clock);
    await using gate = await Gate.open(site.store, { trail: createTestTrail(), isLocal: true, wall: clock.wall, monotonic: clock.monotonic });
    const engine = new FakeEngine({ script: say('Hello') });
    await using app = buildApp({ models: { current: { engine, text: new FakeText() } }, gate, settings: parseSettings({}) });
    for (const route of Object.values(routes)) {
      const headers = text === '' ? {} : { authorization: `Bearer ${text}` };
      const { statusCode, json } = await app.inject({ method: route.method, url: route.url, headers, ...(route.payload ? { payload: route.payload } : {}) });
      const expected = expectedStatus(route, holder, open, forSomebody.has(state));
      if (expected !== undefined) expect(`${route.url} ${statusCode}`).toBe(`${route.url} ${expected}`);
      if (expected === 401) expect(json().error.type).toBe('authentication_error');
      if (expected === 403) expect(json().error.type).toBe('permission_error');
    }
    const computing = Object.values(routes).filter(
      ({ scope, isInference, isCounting, method }) => isInference && !isCounting && method === 'POST' && scope === holder.scope,
    );
    expect(engine.requests).toHaveLength(open && holder.isDead !== true && holder.role === undefined ? computing.length : 0);
    expect(gate.running).toBe(0);
    // What is no route tells a stranger nothing, not even that it is none.
    const unknown = await app.inject({ method: 'GET', url: '/v1/nothing', headers: { authorization: `Bearer ${text}` } });
    expect(unknown.statusCode).toBe(holder.isDead ? 401 : 404);
  });
});

test('without a key every method of every path but the open ones is refused, and is not told apart from what is no route', async () => {
  const site = await createSite();
  const clock = new TestClock();
  await site.deploy(await site.agree());
  await using gate = await Gate.open(site.store, { trail: createTestTrail(), isLocal: true, wall: clock.wall, monotonic: clock.monotonic });
  const engine = new FakeEngine({ script: say('Hello') });
  await using app = buildApp({ models: { current: { engine, text: new FakeText() } }, gate, settings: parseSettings({}) });
  const paths = Object.values(routes).flatMap(({ url, isOpen }) => (isOpen ? [] : [url, `${url}/`, url.toUpperCase(), `/${url}`]));
  for (const url of [...paths, '/', '/nothing', '/metrics?a=b']) {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
      expect(`${method} ${url} ${(await app.inject({ method, url })).statusCode}`).toBe(`${method} ${url} 401`);
    }
  }
  for (const url of ['/health', '/ready', '/openapi.json', '/docs']) expect((await app.inject({ method: 'GET', url })).statusCode).toBe(200);
  expect(gate.running).toBe(0);
});

test('an answer names the agreement that its request was let in under, also where it is an error; a key sees only the models that it may use', async () => {
  const site = await createSite();
  const clock = new TestClock();
  const hosts = ['cd'.repeat(32)];
  const main = await site.agree({ tenants: ['main'], hosts });
  const lab = await site.agree({ tenants: ['lab'], hosts });
  await site.deploy(main);
  const { text } = await site.key({ tenant: 'lab', scopes: { tokensPerDay: 10 } });
  const other = await site.key({ scopes: { models: ['another'] } });
  await using gate = await Gate.open(site.store, { trail: createTestTrail(), isLocal: true, wall: clock.wall, monotonic: clock.monotonic });
  const engine = new FakeEngine({ script: say('Hello') });
  await using app = buildApp({ models: { current: { engine, text: new FakeText() } }, gate, settings: parseSettings({}) });
  const ask = (model: string, maxTokens: number) =>
    app.inject({
      method: 'POST',
      url: '/v1/completions',
      headers: { authorization: `Bearer ${text}` },
      payload: { model, prompt: 'Hi', max_tokens: maxTokens },
    });
  for (const answer of [await ask('default', 1), await ask('nothing', 1)]) expect(answer.headers['x-inward-agreement']).toBe(lab);
  const refused = await ask('default', 10);
  // Until midnight, not what is told about a busy engine.
  expect([refused.statusCode, Number(refused.headers['retry-after']) > 3600]).toEqual([429, true]);
  for (const url of ['/v1/models', '/v1/models/default']) {
    expect((await app.inject({ method: 'GET', url, headers: { authorization: `Bearer ${other.text}` } })).statusCode).toBe(403);
  }
});
