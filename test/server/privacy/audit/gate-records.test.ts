/**
 * Every way through the gate, over HTTP, with the records that it leaves: which ones and with which fields is worked out here by hand
 * from the rules, not from the gate's own.
 */
import { request as httpRequest } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { InwardError } from '../../../../runtime/errors.ts';
import { buildApp } from '../../../../server/app.ts';
import { parseSettings } from '../../../../server/config.ts';
import type { LogRecord } from '../../../../server/log.ts';
import type { ModelSource } from '../../../../server/openai/plan.ts';
import type { AuditEvent } from '../../../../server/privacy/audit/events.ts';
import { Refusal, type RefusalCode } from '../../../../server/privacy/errors.ts';
import { Gate } from '../../../../server/privacy/gate.ts';
import { createSecret } from '../../../../server/privacy/keys.ts';
import { openStore } from '../../../../server/privacy/store/sqlite.ts';
import type { Store } from '../../../../server/privacy/store.ts';
import type { TokenVerifier } from '../../../../server/privacy/tokens/tokens.ts';
import { FakeEngine, type FakeEngineOptions } from '../../../fake-engine.ts';
import { FakeText, say } from '../../../fake-text.ts';
import { begin, createSite, day, formatTime, TestClock, type TestSite } from '../agreed-site.ts';
import { createTestTrail, type TestTrail } from '../test-trail.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Bench {
  readonly site: TestSite;
  readonly clock: TestClock;
  readonly trail: TestTrail;
  readonly gate: Gate;
  readonly engine: FakeEngine;
  readonly text: FakeText;
  readonly url: string;
  readonly agreement: string;
  /** Of a key of the department `main`. */
  readonly key: { readonly text: string; readonly id: string };
  readonly lines: readonly LogRecord[];
}

interface BenchOptions {
  readonly engine?: Partial<FakeEngineOptions>;
  readonly refusal?: Refusal;
  readonly isUnsigned?: boolean;
  /** There is an identity provider, and no token is one of its own. */
  readonly hasTokens?: boolean;
}

async function start({ engine: changes = {}, refusal, isUnsigned = false, hasTokens = false }: BenchOptions = {}): Promise<Bench> {
  const site = await createSite();
  const clock = new TestClock();
  const agreement = isUnsigned ? '' : await site.agree();
  if (!isUnsigned) await site.deploy(agreement);
  const key = await site.key();
  const trail = createTestTrail();
  const tokens = hasTokens ? refuseTokens() : undefined;
  const gate = await Gate.open(site.store, { trail, tokens, isLocal: false, wall: clock.wall, monotonic: clock.monotonic, pollMs: 5 });
  const [engine, text] = [new FakeEngine({ script: say('Hello'), ...changes }), new FakeText()];
  const models: ModelSource = refusal === undefined ? { current: { engine, text } } : { current: undefined, refusal };
  const lines: LogRecord[] = [];
  const app = buildApp({ models, gate, settings: parseSettings({ bodyLimit: 5000 }), log: (line) => lines.push(line) });
  const url = await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' });
  closers.push(
    () => gate[Symbol.asyncDispose](),
    () => app.close(),
  );
  return { site, clock, trail, gate, engine, text, url, agreement, key, lines };
}

function refuseTokens(): TokenVerifier {
  const verify = async (): Promise<never> => {
    throw new Refusal('token_invalid');
  };
  return { verify, refused: {} as TokenVerifier['refused'], [Symbol.dispose]: () => undefined };
}

interface Ask {
  readonly method?: string;
  readonly path?: string;
  /** Of who asks; false: none. */
  readonly bearer?: string | false;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object | string;
  readonly signal?: AbortSignal;
}

const prompt = { model: 'default', prompt: 'Hi', max_tokens: 3000 };

function ask({ url, key }: Bench, { method, path = '/v1/completions', bearer = key.text, headers = {}, body = prompt, signal }: Ask = {}): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: method ?? (path.startsWith('/v1/models') || !path.startsWith('/v1') ? 'GET' : 'POST'),
    headers: { 'content-type': 'application/json', ...(bearer === false ? {} : { authorization: `Bearer ${bearer}` }), ...headers },
    ...(path.endsWith('completions') && method === undefined ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** What requests have left, in order; fields that are not there are not listed. */
const requestEvents: ReadonlySet<AuditEvent['event']> = new Set(['intent', 'outcome', 'auth_failed', 'denied', 'break_glass']);
function recordsOf({ trail }: Bench): object[] {
  return trail.events
    .filter(({ event }) => requestEvents.has(event))
    .map((event) => Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined)));
}

/** Waits until the answer has its last record. */
async function expectRecords(bench: Bench, ...expected: object[]): Promise<void> {
  await expect.poll(() => recordsOf(bench).length).toBeGreaterThanOrEqual(expected.length);
  // Whatever may come too much.
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(recordsOf(bench)).toEqual(expected);
}

const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const bucket = expect.toSatisfy((value: number) => value === 0 || Math.log2(value) % 1 === 0);
const from = { route: '/v1/completions', address: '127.0.0.1' };

function intentOf({ gate, agreement, key }: Bench, changes: object = {}): object {
  return {
    ...{ event: 'intent', request: uuid, ...from, known: 'secret', tenant: 'main', key: key.id, purpose: 'documentation', agreement, region: 'us-east' },
    ...{ data: 'phi', priority: 'interactive', model: 'fake-model', manifest: gate.view?.manifest?.hash },
    ...changes,
  };
}
const unused = { promptTokens: 0, completionTokens: 0, cached: false };
const outcomeOf = (changes: object): object => ({ event: 'outcome', request: uuid, status: 200, duration: bucket, ...changes });
const refusedOf = (changes: object): object => outcomeOf({ ending: 'refused', ...changes });

describe('let in and answered', () => {
  // A prompt of fake text has a token for each byte and one before them: 3, so that the next power of two is 4.
  const cases: readonly (readonly [string, Ask, object, BenchOptions?])[] = [
    // 5 letters and the end: 6 tokens.
    ['whole', {}, { ending: 'stop', promptTokens: 4, completionTokens: 8, cached: false }],
    ['as a stream', { body: { ...prompt, stream: true } }, { ending: 'stop', promptTokens: 4, completionTokens: 8, cached: false }],
    ['up to its length', { body: { ...prompt, max_tokens: 2 } }, { ending: 'length', promptTokens: 4, completionTokens: 2, cached: false }],
    // 3 * 6
    ['with several choices', { body: { ...prompt, n: 3 } }, { ending: 'stop', promptTokens: 4, completionTokens: 32, cached: false }],
    ['with candidates', { body: { ...prompt, best_of: 2, max_tokens: 1 } }, { ending: 'length', promptTokens: 4, completionTokens: 2, cached: false }],
    ['from the cache', {}, { ending: 'stop', promptTokens: 4, completionTokens: 8, cached: true }, { engine: { cached: () => 2 } }],
    [
      'from the cache, as a stream',
      { body: { ...prompt, stream: true } },
      { ending: 'stop', promptTokens: 4, completionTokens: 8, cached: true },
      { engine: { cached: () => 2 } },
    ],
    [
      'with choices that end in different ways',
      { body: { ...prompt, prompt: ['ab', 'c'], max_tokens: 3 } },
      // 3 + 2 of the prompts; 3 (cut) + 2 (and the end).
      { ending: 'mixed', promptTokens: 8, completionTokens: 8, cached: false },
      { engine: { script: (ids) => (ids.length === 3 ? [97, 98, 99, 100] : [97, 256]) } },
    ],
  ];
  test.each(cases.map(([name, how, expected, options = {}]) => [name, how, expected, options] as const))('%s', async (_, how, expected, options) => {
    const bench = await start(options);
    const answer = await ask(bench, how);
    await answer.text();
    expect(answer.status).toBe(200);
    await expectRecords(bench, intentOf(bench), outcomeOf(expected));
    // Both are of the request that the client knows.
    for (const record of recordsOf(bench)) expect(record).toMatchObject({ request: answer.headers.get('x-request-id') });
  });

  test('for another department and purpose, with a UUID of the client, under an agreement with Part 2', async () => {
    const bench = await start({ isUnsigned: true });
    const agreement = await bench.site.agree({ part2: true });
    await bench.site.deploy(agreement);
    const { text, id } = await bench.site.key({ tenant: 'lab', scopes: { purposes: ['documentation', 'messaging'], priority: 'batch' } });
    const correlation = 'A1B2C3D4-0000-4000-8000-ABCDEFABCDEF';
    await (await ask(bench, { bearer: text, headers: { 'x-inward-purpose': 'messaging', 'x-inward-correlation': correlation } })).text();
    const more = { tenant: 'lab', key: id, purpose: 'messaging', priority: 'batch', tag: 'part2', agreement, correlation: correlation.toLowerCase() };
    await expectRecords(bench, intentOf(bench, more), outcomeOf({ ending: 'stop', promptTokens: 4, completionTokens: 8, cached: false }));
  });

  test.each(['not-a-uuid', '', 'a1b2c3d4-0000-4000-8000-abcdefabcde', ' a1b2c3d4-0000-4000-8000-abcdefabcdef x'])(
    'the correlation id %j is refused, and not recorded',
    async (correlation) => {
      const bench = await start();
      expect((await ask(bench, { headers: { 'x-inward-correlation': correlation } })).status).toBe(400);
      await expectRecords(bench, intentOf(bench), refusedOf({ status: 400 }));
    },
  );

  test('two correlation ids are none', async () => {
    const bench = await start();
    const id = 'a1b2c3d4-0000-4000-8000-abcdefabcdef';
    const status = await new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${bench.key.text}`, 'content-type': 'application/json', 'x-inward-correlation': [id, id] };
      httpRequest(`${bench.url}/v1/completions`, { method: 'POST', headers }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end(JSON.stringify(prompt));
    });
    expect(status).toBe(400);
    await expectRecords(bench, intentOf(bench), refusedOf({ status: 400 }));
  });

  test('what only lists the models, says how it is, or is asked by a person, leaves nothing', async () => {
    const bench = await start();
    const person = await bench.site.person('an-auditor', 'auditor');
    for (const path of ['/v1/models', '/v1/models/default', '/health', '/ready', '/v1/nothing']) await (await ask(bench, { path })).text();
    for (const path of ['/metrics', '/inward/status', '/inward/review']) expect((await ask(bench, { path, bearer: person })).status).toBe(200);
    await expectRecords(bench);
  });
});

describe('refused', () => {
  type Case = readonly [how: string, make: (bench: Bench) => Promise<Ask> | Promise<void>, expected: (bench: Bench) => object[], options?: BenchOptions];
  /** Whose holder was found was known by a secret. */
  const knownBy = (more: object): object => ('key' in more || 'person' in more ? { known: 'secret' } : {});
  const denied = (refusal: RefusalCode, more: object = {}): object => ({ event: 'denied', ...from, ...knownBy(more), refusal, ...more });
  const failed = (refusal: RefusalCode, more: object = {}): object => ({ event: 'auth_failed', ...from, ...knownBy(more), refusal, ...more });
  let key = '';
  const withKey = async ({ site }: Bench, changes: Parameters<TestSite['key']>[0], more: Ask = {}): Promise<Ask> => {
    const { text, id } = await site.key(changes);
    key = id;
    return { bearer: text, ...more };
  };
  const nothing = async (): Promise<void> => undefined;
  const cases: Readonly<Record<RefusalCode, readonly Case[]>> = {
    agreement_missing: [['there is none', nothing, () => [denied('agreement_missing')], { isUnsigned: true }]],
    agreement_expired: [['its time is over', async ({ clock }) => clock.pass(101 * day), ({ agreement }) => [denied('agreement_expired', { agreement })]]],
    agreement_revoked: [
      [
        'before',
        async ({ site, agreement }) => await site.store.revokeAgreement(agreement, 'officer', begin),
        ({ agreement }) => [denied('agreement_revoked', { agreement })],
      ],
    ],
    agreement_not_begun: [
      [
        'its time is to come',
        async (bench) => {
          const id = await bench.site.agree({ effective: formatTime(begin + day) });
          await bench.site.deploy(id);
          return {};
        },
        () => [denied('agreement_not_begun', { agreement: expect.stringMatching(/^agr-/) })],
        { isUnsigned: true },
      ],
    ],
    audit_unavailable: [['the disk is full', async ({ trail }) => trail.setFault('space', true), () => []]],
    key_missing: [['none', async () => ({ bearer: false }), () => [failed('key_missing')]]],
    key_invalid: [
      ['no key', async () => ({ bearer: 'Patient Smith' }), () => [failed('key_invalid')]],
      ['of another site', async () => ({ bearer: (await (await createSite()).key()).text }), () => [failed('key_invalid')]],
      ['on a route of people', async () => ({ bearer: 'inw_person_x', path: '/inward/review' }), () => [failed('key_invalid', { route: '/inward/review' })]],
      ['on no route', async () => ({ bearer: 'x', path: '/Patient/Smith' }), () => [failed('key_invalid', { route: '(unknown)' })]],
    ],
    key_expired: [
      ['a key', (bench) => withKey(bench, { expiresAt: begin }), () => [failed('key_expired', { key })]],
      [
        'a person',
        async ({ site }) => {
          const { text, credential } = createSecret('person');
          await site.store.addPerson({ id: 'a-person', roles: ['auditor'], credential, createdAt: begin - day, createdBy: 'test-setup', expiresAt: begin });
          return { bearer: text, path: '/inward/review' };
        },
        () => [failed('key_expired', { route: '/inward/review', person: 'a-person' })],
      ],
    ],
    key_revoked: [
      ['a key', async ({ site, key: { id } }) => await site.store.revokeKey(id, 'an-admin', begin), (bench) => [failed('key_revoked', { key: bench.key.id })]],
      [
        'a person',
        async ({ site }) => {
          const text = await site.person('a-person', 'auditor');
          await site.store.revokePerson('a-person', 'an-admin', begin);
          return { bearer: text, path: '/inward/review' };
        },
        () => [failed('key_revoked', { route: '/inward/review', person: 'a-person' })],
      ],
      [
        // Ten letters that a key could have as its id.
        'a person who is called like a key',
        async ({ site }) => {
          const text = await site.person('drbergmann', 'auditor');
          await site.store.revokePerson('drbergmann', 'an-admin', begin);
          return { bearer: text, path: '/inward/review' };
        },
        () => [failed('key_revoked', { route: '/inward/review', person: 'drbergmann' })],
      ],
    ],
    key_spent: [['long ago', (bench) => withKey(bench, { isSealed: true, openedAt: begin - day }), () => [failed('key_spent', { key })]]],
    token_invalid: [['of the identity provider', async () => ({ bearer: 'eyJhbGciOiJub25lIn0.e30.' }), () => [failed('token_invalid')], { hasTokens: true }]],
    manifest_mismatch: [
      [
        'the model was not loaded',
        nothing,
        (bench) => [intentOf(bench, { model: undefined }), refusedOf({ status: 403, refusal: 'manifest_mismatch' })],
        { refusal: new Refusal('manifest_mismatch') },
      ],
    ],
    model_failed: [
      [
        'the model was not loaded',
        nothing,
        (bench) => [intentOf(bench, { model: undefined }), refusedOf({ status: 503, refusal: 'model_failed' })],
        { refusal: new Refusal('model_failed') },
      ],
    ],
    route_denied: [
      ['a key for chat', (bench) => withKey(bench, { scopes: { routes: ['chat'] } }), () => [denied('route_denied', { key })]],
      ['on a route of people', async () => ({ path: '/metrics' }), (bench) => [denied('route_denied', { key: bench.key.id, route: '/metrics' })]],
    ],
    role_denied: [
      ['a person', async ({ site }) => ({ bearer: await site.person('a-viewer', 'viewer') }), () => [denied('role_denied', { person: 'a-viewer' })]],
    ],
    model_denied: [
      [
        'an answer',
        (bench) => withKey(bench, { scopes: { models: ['another'] } }),
        (bench) => [intentOf(bench, { key }), refusedOf({ status: 403, refusal: 'model_denied' })],
      ],
      [
        'the list',
        (bench) => withKey(bench, { scopes: { models: ['another'] } }, { path: '/v1/models' }),
        () => [denied('model_denied', { key, route: '/v1/models' })],
      ],
    ],
    purpose_missing: [
      [
        'two',
        (bench) => withKey(bench, { scopes: { purposes: ['documentation', 'messaging'] } }),
        ({ agreement }) => [denied('purpose_missing', { key, agreement })],
      ],
    ],
    purpose_denied: [
      [
        'another',
        async () => ({ headers: { 'x-inward-purpose': 'Smith' } }),
        (bench) => [denied('purpose_denied', { key: bench.key.id, agreement: bench.agreement })],
      ],
    ],
    network_denied: [['from here', (bench) => withKey(bench, { scopes: { networks: ['10.0.0.0/8'] } }), () => [denied('network_denied', { key })]]],
    hours_denied: [
      [
        'now',
        (bench) => withKey(bench, { scopes: { hours: { days: [4], from: '08:00', to: '18:00', timeZone: 'UTC' } } }),
        () => [denied('hours_denied', { key })],
      ],
    ],
    region_mismatch: [
      ['a key', (bench) => withKey(bench, { scopes: { region: 'us-west' } }), () => [denied('region_mismatch', { known: 'secret' })]],
      ['a request', async () => ({ headers: { 'x-inward-region': 'Smith' } }), () => [denied('region_mismatch', { known: 'secret' })]],
    ],
    data_class_denied: [
      [
        'synthetic',
        (bench) => withKey(bench, { data: 'synthetic', scopes: { purposes: ['evaluation'] } }),
        ({ agreement }) => [denied('data_class_denied', { key, agreement })],
      ],
    ],
    quota_exceeded: [
      [
        'one token a day',
        (bench) => withKey(bench, { scopes: { tokensPerDay: 1 } }),
        (bench) => [intentOf(bench, { key }), refusedOf({ status: 429, refusal: 'quota_exceeded', ...unused })],
      ],
      [
        'one token a day, as a stream',
        (bench) => withKey(bench, { scopes: { tokensPerDay: 1 } }, { body: { ...prompt, stream: true } }),
        (bench) => [intentOf(bench, { key }), refusedOf({ status: 429, refusal: 'quota_exceeded', ...unused })],
      ],
    ],
  };
  const rows = Object.entries(cases).flatMap(([code, list]) =>
    list.map(([how, make, expected, options = {}]) => [code, how, make, expected, options] as const),
  );
  test.each(rows)('%s: %s', async (_, __, make, expected, options) => {
    const bench = await start(options);
    const how = (await make(bench)) ?? {};
    const before = recordsOf(bench).length;
    const answer = await ask(bench, how);
    expect(answer.ok).toBe(false);
    await answer.text();
    expect(before).toBe(0);
    await expectRecords(bench, ...expected(bench).map((record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))));
    expect(bench.engine.requests).toEqual([]);
  });
});

describe('a request that cannot be answered has an intent and an outcome', () => {
  const cases: readonly (readonly [string, Ask, object, BenchOptions?])[] = [
    ['malformed JSON', { body: '{"prompt":' }, { status: 400 }],
    ['no body', { body: '' }, { status: 400 }],
    ['a body over the limit', { body: { ...prompt, prompt: 'x'.repeat(6000) } }, { status: 413 }],
    ['another media type', { headers: { 'content-type': 'text/plain' } }, { status: 415 }],
    ['a field that is none', { body: { ...prompt, patient: 'Smith' } }, { status: 400 }],
    ['another model', { body: { ...prompt, model: 'Smith' } }, { status: 404 }],
    ['a deadline that is none', { headers: { 'x-inward-deadline-ms': 'Smith' } }, { status: 400 }],
    // Known once the prompt is planned, so that what was used is known too.
    ['a prompt that is too long', { body: { ...prompt, prompt: 'x'.repeat(4500) } }, { status: 400, error: 'prompt_too_long', ...unused }],
    ['a full queue', {}, { status: 429, error: 'queue_full', ...unused }, { engine: { places: 0 } }],
  ];
  test.each(cases.map(([name, how, expected, options = {}]) => [name, how, expected, options] as const))('%s', async (_, how, expected, options) => {
    const bench = await start(options);
    const answer = await ask(bench, how);
    await answer.text();
    await expectRecords(bench, intentOf(bench), refusedOf(expected));
    expect(answer.status).toBe((expected as { readonly status: number }).status);
  });

  test('another method is none of the model’s', async () => {
    const bench = await start();
    expect((await ask(bench, { method: 'DELETE' })).status).toBe(405);
    await expectRecords(bench, intentOf(bench), refusedOf({ status: 405 }));
  });
});

/** Answers that take long enough to be cut. */
const slow: BenchOptions = { engine: { script: say('abc'.repeat(900)), stepMs: 1 } };
const streaming: Ask = { body: { ...prompt, stream: true } };
async function beginStream(bench: Bench, more: Ask = {}): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const reader = ((await ask(bench, { ...streaming, ...more })).body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  await expect.poll(() => bench.engine.generatedTokens).toBeGreaterThan(1);
  return reader;
}
async function readRest(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  let text = '';
  for (let next = await reader.read(); !next.done; next = await reader.read()) text += Buffer.from(next.value).toString();
  return text;
}

describe('cut while it runs', () => {
  const cuts: readonly (readonly [string, (bench: Bench) => Promise<void> | void, RefusalCode])[] = [
    ['the key is revoked', ({ site, key }) => site.store.revokeKey(key.id, 'an-admin', begin), 'key_revoked'],
    ['the agreement is revoked', ({ site, agreement }) => site.store.revokeAgreement(agreement, 'officer', begin), 'agreement_revoked'],
    ['the agreement expires', ({ clock }) => clock.pass(101 * day), 'agreement_expired'],
    ['the trail stops', ({ trail }) => trail.setFault('write', true), 'audit_unavailable'],
  ];
  const part = { promptTokens: 4, completionTokens: expect.toSatisfy((value: number) => value >= 2 && Math.log2(value) % 1 === 0), cached: false };
  test.each(cuts)('%s: a stream', async (_, cut, refusal) => {
    const bench = await start(slow);
    const reader = await beginStream(bench);
    await cut(bench);
    expect(await readRest(reader)).toContain(`"code":"${refusal}"`);
    await expectRecords(bench, intentOf(bench), outcomeOf({ ending: 'cancelled', refusal, ...part }));
  });

  test.each(cuts)('%s: a whole answer', async (_, cut, refusal) => {
    const bench = await start(slow);
    const answer = ask(bench);
    await expect.poll(() => bench.engine.generatedTokens).toBeGreaterThan(1);
    await cut(bench);
    const { status } = await answer;
    expect(status).toBeGreaterThanOrEqual(400);
    await expectRecords(bench, intentOf(bench), outcomeOf({ status, ending: 'cancelled', refusal, ...part }));
  });

  test('what was found in the cache is told of an answer that was cut, too', async () => {
    const bench = await start({ engine: { ...slow.engine, cached: () => 2 } });
    const reader = await beginStream(bench);
    await bench.site.store.revokeKey(bench.key.id, 'an-admin', begin);
    await readRest(reader);
    await expectRecords(bench, intentOf(bench), outcomeOf({ ending: 'cancelled', refusal: 'key_revoked', ...part, cached: true }));
  });

  test('the client leaves a stream', async () => {
    const bench = await start(slow);
    const abort = new AbortController();
    await beginStream(bench, { signal: abort.signal });
    abort.abort();
    await expectRecords(bench, intentOf(bench), outcomeOf({ ending: 'cancelled', error: 'aborted', ...part }));
  });

  test('the client leaves before anything was sent: no status', async () => {
    const bench = await start(slow);
    const abort = new AbortController();
    const answer = ask(bench, { signal: abort.signal }).catch(() => undefined);
    await expect.poll(() => bench.engine.generatedTokens).toBeGreaterThan(1);
    abort.abort();
    await answer;
    const { status, ...expected } = outcomeOf({ ending: 'cancelled', error: 'aborted', ...part }) as { status?: number };
    await expectRecords(bench, intentOf(bench), expected);
  });

  test('the client leaves while his body is on its way', async () => {
    const bench = await start();
    const request = httpRequest(`${bench.url}/v1/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bench.key.text}`, 'content-type': 'application/json', 'content-length': 100 },
    });
    request.on('error', () => undefined).write('{"prompt":');
    await expect.poll(() => recordsOf(bench).length).toBe(1);
    request.destroy();
    await expectRecords(bench, intentOf(bench), { event: 'outcome', request: uuid, ending: 'cancelled', duration: bucket });
    expect(bench.engine.requests).toEqual([]);
  });

  test('the gate is closed while an answer runs', async () => {
    const bench = await start(slow);
    const reader = await beginStream(bench);
    await bench.gate[Symbol.asyncDispose]();
    await readRest(reader);
    const events = bench.trail.events.map(({ event }) => event).filter((event) => ['intent', 'outcome', 'stopped'].includes(event));
    expect(events).toEqual(['intent', 'outcome', 'stopped']);
  });

  test.each([
    ['a fault of its own', new InwardError('device_lost', { reason: 'destroyed' }), 'device_lost'],
    ['a fault of ours', new Error('Patient Smith'), undefined],
  ])('the engine fails by %s', async (_, error, code) => {
    const bench = await start({ engine: { script: say('abc'), failAt: { index: 2, error } } });
    const answer = await ask(bench);
    await answer.text();
    const expected = outcomeOf({ ending: 'failed', status: answer.status, ...(code && { error: code }), ...unused, promptTokens: 4, completionTokens: 2 });
    await expectRecords(bench, intentOf(bench), expected);
    expect(answer.status).toBeGreaterThanOrEqual(500);
  });
});

test('a break-glass key: it is loud, opened once, and its purpose is the emergency', async () => {
  const bench = await start();
  const { text, id } = await bench.site.key({ isSealed: true });
  await (await ask(bench, { bearer: text })).text();
  await (await ask(bench, { bearer: text })).text();
  const loud = { event: 'break_glass', key: id, address: '127.0.0.1' };
  const intent = intentOf(bench, { key: id, purpose: 'emergency', sealed: true });
  const outcome = outcomeOf({ ending: 'stop', promptTokens: 4, completionTokens: 8, cached: false });
  await expectRecords(bench, loud, intent, outcome, loud, intent, outcome);
  await expect.poll(() => bench.trail.events.filter(({ event }) => event === 'key_opened')).toHaveLength(1);
  expect(bench.trail.events).toContainEqual({ event: 'key_opened', key: id, at: bench.clock.wall(), change: expect.any(Number) });
});

describe('the process', () => {
  const facts = { kind: 'server', version: '0.0.0', profile: 'ab'.repeat(32) };
  const own = (trail: TestTrail): AuditEvent[] => trail.events.filter((event) => !('at' in event));

  const modes: readonly (readonly [string, (site: TestSite) => Promise<void>])[] = [
    ['phi', async (site: TestSite) => site.deploy(await site.agree())],
    ['closed', async () => undefined],
    [
      'evaluation',
      async (site: TestSite) =>
        void (await site.agree({ kind: 'synthetic', purposes: ['evaluation'], documentSha256: undefined, expires: formatTime(begin + 20 * day) })),
    ],
  ];
  test.each(modes)('its start (%s) and its end', async (mode, make) => {
    const site = await createSite();
    await make(site);
    const [clock, trail] = [new TestClock(), createTestTrail()];
    const gate = await Gate.open(site.store, { trail, isLocal: true, wall: clock.wall, monotonic: clock.monotonic });
    expect(own(trail)).toEqual([{ event: 'started', mode, ...facts }]);
    await gate[Symbol.asyncDispose]();
    expect(own(trail)).toEqual([
      { event: 'started', mode, ...facts },
      { event: 'stopped', kind: 'server' },
    ]);
  });

  test.each([
    ['the same settings', facts.profile, []],
    ['other settings', 'cd'.repeat(32), [{ event: 'config_changed', profile: facts.profile, before: 'cd'.repeat(32) }]],
  ])('a start with %s than before', async (_, lastProfile, more) => {
    const site = await createSite();
    const [clock, trail] = [new TestClock(), { ...createTestTrail(), lastProfile }];
    await using _gate = await Gate.open(site.store, { trail, isLocal: true, wall: clock.wall, monotonic: clock.monotonic });
    expect(own(trail)).toEqual([{ event: 'started', mode: 'closed', ...facts }, ...more]);
  });

  test('agreements that come, are about to end, and end; a manifest; a store that is gone', async () => {
    const real: Store = await openStore(':memory:');
    let isBroken = false;
    const store: Store = new Proxy(real, {
      get: (target, name): unknown => {
        if (isBroken && name === 'version') throw new Error('gone');
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const site = await createSite(store);
    const [clock, trail] = [new TestClock(), createTestTrail()];
    await using gate = await Gate.open(store, { trail, isLocal: false, wall: clock.wall, monotonic: clock.monotonic, pollMs: 5 });
    const agreement = await site.agree();
    await site.deploy(agreement);
    await expect.poll(() => own(trail)).toContainEqual({ event: 'gate_opened', agreement });
    const first = gate.view?.manifest?.hash;
    await site.deploy(agreement);
    await expect.poll(() => gate.view?.manifest?.hash).not.toBe(first);
    const second = gate.view?.manifest?.hash;
    clock.pass(99 * day);
    await expect.poll(() => own(trail)).toContainEqual({ event: 'agreement_ending', agreement, days: 1 });
    clock.pass(2 * day);
    await expect.poll(() => own(trail)).toContainEqual({ event: 'agreement_ended', agreement, state: 'expired' });
    isBroken = true;
    await expect.poll(() => own(trail)).toContainEqual({ event: 'store_unreadable' });
    isBroken = false;
    await expect.poll(() => gate.view).toBeDefined();
    expect(own(trail)).toEqual([
      { event: 'started', mode: 'closed', ...facts },
      // Nothing was loaded, which could have been held against another manifest.
      { event: 'deployment_changed', manifest: first },
      { event: 'gate_opened', agreement },
      { event: 'deployment_changed', manifest: second },
      { event: 'agreement_ending', agreement, days: 1 },
      { event: 'tenant_closed', tenant: 'main' },
      { event: 'tenant_closed', tenant: 'lab' },
      { event: 'gate_closed' },
      { event: 'agreement_ended', agreement, state: 'expired' },
      { event: 'store_unreadable' },
    ]);
  });
});

describe('changes of the store', () => {
  const changesOf = (trail: TestTrail): AuditEvent[] => trail.events.filter((event) => 'at' in event);

  test('by another process become records, once each and in order, and leave the store', async () => {
    const bench = await start();
    const before = changesOf(bench.trail).length;
    const { store } = bench.site;
    await store.addTenant({ code: 'radiology' }, 'an-admin', begin + 1);
    await store.revokeKey(bench.key.id, 'an-admin', begin + 2);
    await store.revokeAgreement(bench.agreement, 'officer', begin + 3);
    await expect.poll(() => store.listChanges()).toEqual([]);
    const numbers = { change: expect.any(Number) };
    expect(changesOf(bench.trail).slice(before)).toEqual([
      { event: 'tenant_added', tenant: 'radiology', by: 'an-admin', at: begin + 1, ...numbers },
      { event: 'key_revoked', key: bench.key.id, by: 'an-admin', at: begin + 2, from: begin + 2, ...numbers },
      { event: 'agreement_revoked', agreement: bench.agreement, by: 'officer', at: begin + 3, ...numbers },
    ]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(changesOf(bench.trail)).toHaveLength(before + 3);
  });

  test('stay in the store while the trail has stopped, and come when it goes on', async () => {
    const bench = await start();
    await expect.poll(() => bench.site.store.listChanges()).toEqual([]);
    const before = changesOf(bench.trail).length;
    bench.trail.setFault('space', true);
    await bench.site.store.addTenant({ code: 'radiology' }, 'an-admin', begin + 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(await bench.site.store.listChanges()).toHaveLength(1);
    expect(changesOf(bench.trail)).toHaveLength(before);
    bench.trail.setFault('space', false);
    await expect.poll(() => bench.site.store.listChanges()).toEqual([]);
    expect(changesOf(bench.trail)).toHaveLength(before + 1);
  });
});

describe('nothing is computed without a record', () => {
  test.each([['whole', {}] as const, ['a stream', streaming] as const])(
    'the engine gets a request when its intent is durable, not before: %s',
    async (_, how) => {
      const bench = await start();
      bench.trail.hold(true);
      const answer = ask(bench, how);
      await expect.poll(() => recordsOf(bench).length).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(bench.engine.requests).toEqual([]);
      bench.trail.hold(false);
      expect((await answer).status).toBe(200);
      expect(bench.engine.requests).toHaveLength(1);
    },
  );

  test.each([
    ['who is not known', { bearer: createSecret('phi').text }, 'auth_failed', 401],
    ['who may not', { headers: { 'x-inward-purpose': 'coding' } }, 'denied', 403],
  ] as const)('a refusal is answered when it is durable, not before: %s', async (_, how, event, status) => {
    const bench = await start();
    bench.trail.hold(true);
    let isAnswered = false;
    const answer = ask(bench, how).finally(() => {
      isAnswered = true;
    });
    await expect.poll(() => recordsOf(bench)).toMatchObject([{ event }]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isAnswered).toBe(false);
    bench.trail.hold(false);
    expect((await answer).status).toBe(status);
  });

  test('an intent that cannot be made durable is refused, and the engine hears nothing of it', async () => {
    const bench = await start();
    const { record } = bench.trail;
    bench.trail.record = async (event) => {
      await record(event);
      if (event.event === 'intent') throw new Refusal('audit_unavailable', { cause: 'write' });
    };
    const answer = await ask(bench, streaming);
    expect(answer.status).toBe(503);
    await answer.text();
    await expectRecords(bench, intentOf(bench), refusedOf({ status: 503, refusal: 'audit_unavailable', ...unused }));
    expect(bench.engine.requests).toEqual([]);
  });

  test('a client that leaves while his intent is on its way: nothing is computed, and that is on record', async () => {
    const bench = await start();
    bench.trail.hold(true);
    const abort = new AbortController();
    const answer = ask(bench, { signal: abort.signal }).catch(() => undefined);
    await expect.poll(() => recordsOf(bench).length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    abort.abort();
    await answer;
    await expect.poll(() => bench.gate.running).toBe(0);
    bench.trail.hold(false);
    await expectRecords(bench, intentOf(bench), { event: 'outcome', request: uuid, ending: 'cancelled', error: 'aborted', duration: bucket, ...unused });
    expect(bench.engine.requests).toEqual([]);
  });

  test('while the trail has stopped: refused with the time to come again, /ready says why, /health is well, and it goes back by itself', async () => {
    const bench = await start();
    const stateOf = async (path: string): Promise<unknown> => {
      const answer = await ask(bench, { path, bearer: false });
      return [answer.status, await answer.json()];
    };
    bench.trail.setFault('space', true);
    for (const path of ['/v1/completions', '/v1/chat/completions', '/v1/models', '/metrics', '/inward/review', '/nothing']) {
      const refused = await ask(bench, { path });
      expect([path, refused.status, Number(refused.headers.get('retry-after')) >= 1]).toEqual([path, 503, true]);
      expect(await refused.json()).toMatchObject({ error: { code: 'audit_unavailable', type: 'server_error' } });
    }
    expect(await stateOf('/ready')).toEqual([503, { status: 'audit_unavailable' }]);
    expect(await stateOf('/health')).toEqual([200, { status: 'alive' }]);
    expect(bench.engine.requests).toEqual([]);
    bench.trail.setFault('space', false);
    expect(await stateOf('/ready')).toEqual([200, { status: 'ready' }]);
    expect((await ask(bench)).status).toBe(200);
    expect(bench.lines.map(({ event }) => event)).not.toContain('failure');
  });
});
