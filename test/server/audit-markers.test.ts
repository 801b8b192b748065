/**
 * Random markers in every place of a request, known to us or not, on every route and by every method, valid or broken, and in every
 * field as a value that it does not take: no refusal has one, no byte of the site's folder afterwards (store and audit trail), no line of
 * the log, no metric. The routes are real, and so are gate, store and trail; only the engine is scripted. Where engine and text process
 * fail: faulty-markers.gpu.test.ts.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buildApp } from '../../server/app.ts';
import { parseSettings } from '../../server/config.ts';
import { createLog } from '../../server/log.ts';
import { decodeRecord } from '../../server/privacy/audit/events.ts';
import { AuditTrail } from '../../server/privacy/audit/trail.ts';
import { openFolder, verifyLog } from '../../server/privacy/audit/verify.mjs';
import { Gate } from '../../server/privacy/gate.ts';
import { openStore } from '../../server/privacy/store/sqlite.ts';
import { routePatterns } from '../../server/privacy/words.ts';
import { FakeEngine } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';
import { createSite, TestClock } from './privacy/agreed-site.ts';

const requests = 400;
const folder = mkdtempSync(join(tmpdir(), 'inward-markers-'));
const lines: string[] = [];
/** What must be found nowhere. */
const needles: string[] = [];
/** Answers with a status of 400 or more, whole. */
const refusals: string[] = [];
let url: string;
let secrets: { readonly key: string; readonly sealed: string; readonly auditor: string };
let close: () => Promise<void>;

beforeAll(async () => {
  const capture = (chunk: unknown): boolean => lines.push(String(chunk)) > 0;
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockImplementation(capture);
  rmSync(folder, { recursive: true });
  const site = await createSite(await openStore(join(folder, 'inward.sqlite'), { create: true }));
  const clock = new TestClock();
  await site.deploy(await site.agree());
  secrets = { key: (await site.key()).text, sealed: (await site.key({ isSealed: true })).text, auditor: await site.person('an-auditor', 'auditor') };
  const facts = { kind: 'server', version: '0.0.0', profile: 'ab'.repeat(32) } as const;
  const trail = await AuditTrail.open(folder, { facts, wall: clock.wall, roomSize: 2 ** 16 });
  const gate = await Gate.open(site.store, { trail, isLocal: true, wall: clock.wall, monotonic: clock.monotonic });
  const models = { current: { engine: new FakeEngine({ script: say('Hello') }), text: new FakeText() } };
  const logs = (['json', 'human'] as const).map((form) => createLog(capture, form));
  const settings = parseSettings({ bodyLimit: 10_000, requestTimeoutMs: 2000 });
  const app = buildApp({ models, gate, settings, log: (line) => void logs.map((write) => write(line)) });
  url = await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' });
  close = async () => {
    await app.close();
    await gate[Symbol.asyncDispose]();
  };
});
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

interface Marker {
  readonly text: string;
  /** What of it would be found, in whatever way it was quoted. */
  readonly needle: string;
}

const letters = fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz'), minLength: 16, maxLength: 16 });
const digits = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 });
const plain = fc.tuple(
  letters,
  fc.constantFrom(...['', 'Patient ', 'Müller 患者 ', '"},{"event":"', '\\u0022\\', "';--", 'agr-', 'inw_phi_', 'mf-', 'A'.repeat(200), '😀\t']),
);
const marker: fc.Arbitrary<Marker> = fc.oneof(
  { weight: 4, arbitrary: plain.map(([needle, before]) => ({ needle, text: `${before}${needle}` })) },
  { weight: 1, arbitrary: letters.map((needle) => ({ needle, text: needle.toUpperCase() })) },
  { weight: 1, arbitrary: digits.map((hex) => ({ needle: hex, text: hex })) },
  { weight: 1, arbitrary: digits.map((hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')).map((uuid) => ({ needle: uuid, text: uuid })) },
);

/** As header fields have it: bytes as they are, and no control characters. */
const toField = (text: string): string => Buffer.from(text.replace(/\p{Cc}/gu, ' ')).toString('latin1');

type Body = string | Buffer;
interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
}
const standard = { model: 'default', prompt: 'Hi', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 3 };
const json = (body: object): Body => JSON.stringify(body);

/** Fields of a body; what a route does not know it refuses by its name. */
const bodies: Readonly<Record<string, (text: string, base: object) => Body>> = {
  prompt: (text, base) => json({ ...base, prompt: text }),
  prompts: (text, base) => json({ ...base, prompt: [text, text], n: 2, echo: true, logprobs: 2 }),
  message: (text, base) =>
    json({
      ...base,
      messages: [
        { role: 'system', content: text },
        { role: 'user', content: text, name: text },
      ],
    }),
  role: (text, base) => json({ ...base, messages: [{ role: text, content: text }] }),
  part: (text, base) => json({ ...base, messages: [{ role: 'user', content: [{ type: 'text', text }] }] }),
  'part of another type': (text, base) => json({ ...base, messages: [{ role: 'user', content: [{ type: text, [text]: text }] }] }),
  model: (text, base) => json({ ...base, model: text }),
  tools: (text, base) => json({ ...base, tools: [{ type: 'function', function: { name: text, description: text } }] }),
  stop: (text, base) => json({ ...base, stop: [text.slice(0, 30)] }),
  user: (text, base) => json({ ...base, user: text, metadata: { [text]: text }, safety_identifier: text }),
  salt: (text, base) => json({ ...base, cache_salt: text }),
  tenant: (text, base) => json({ ...base, tenant: text }),
  agreement: (text, base) => json({ ...base, agreement: text, purpose: text, key: text }),
  'a stream': (text, base) => json({ ...base, prompt: text, messages: [{ role: 'user', content: text }], stream: true }),
  'a key': (text, base) => json({ ...base, [text]: 1 }),
  'a number': (text, base) => json({ ...base, temperature: text, n: text }),
  logit_bias: (text, base) => json({ ...base, logit_bias: { [text]: 1 } }),
  'no object': (text) => JSON.stringify(text),
  'malformed JSON': (text) => `{"prompt":"${text}`,
  'a tail': (text, base) => `${JSON.stringify(base)}${text}`,
  'bad UTF-8': (text) => Buffer.concat([Buffer.from(`{"prompt":"${text}`), Buffer.from([0xff, 0x22, 0x7d])]),
  'over the limit': (text, base) => json({ ...base, prompt: text.repeat(700) }),
  'too deep': (text) => `${'['.repeat(40)}${JSON.stringify(text)}${']'.repeat(40)}`,
};
// biome-ignore format: a list
const fields = [
  'authorization', 'x-inward-purpose', 'x-inward-region', 'x-inward-correlation', 'x-inward-deadline-ms', 'x-inward-no-cache', 'x-request-id', 'request-id',
  'content-type', 'content-encoding', 'accept', 'accept-language', 'cookie', 'user-agent', 'referer', 'origin', 'host', 'forwarded', 'x-forwarded-for', 'x-real-ip',
  'traceparent', 'tracestate', 'baggage', 'idempotency-key', 'openai-organization', 'x-inward-agreement', 'x-inward-tenant', 'if-none-match', 'expect', 'via',
] as const;
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Where the marker is put, and what is sent then. */
type Place = (text: string, sent: Sent) => Sent;
const encode = (text: string): string => encodeURIComponent(text);
const inBody: fc.Arbitrary<Place> = fc
  .constantFrom(...Object.values(bodies))
  .map((make) => (text: string, sent: Sent) => ({ ...sent, body: make(text, JSON.parse(String(sent.body)) as object) }));
const inField: fc.Arbitrary<Place> = fc
  .tuple(fc.constantFrom(...fields), fc.constantFrom('', 'Bearer ', 'Bearer inw_phi_', 'application/json; charset='))
  .map(([name, before]) => (text: string, sent: Sent) => ({ ...sent, headers: { ...sent.headers, [name]: toField(`${before}${text}`) } }));
const elsewhere: fc.Arbitrary<Place> = fc.constantFrom<Place>(
  (text, sent) => ({ ...sent, path: `${sent.path}?${encode(text)}=${encode(text)}` }),
  (text, sent) => ({ ...sent, path: `${sent.path}/${encode(text)}` }),
  (text, sent) => ({ ...sent, path: `/${encode(text)}` }),
  (text, sent) => ({ ...sent, path: `/%zz${encode(text)}` }),
  (text, sent) => ({ ...sent, path: `/v1/models/${encode(text)}`, method: 'GET' }),
  (text, sent) => ({ ...sent, headers: { ...sent.headers, [`x-${text.replace(/[^a-z0-9]/gi, '')}`]: toField(text) } }),
);
const place = fc.oneof({ weight: 3, arbitrary: inBody }, { weight: 3, arbitrary: inField }, { weight: 1, arbitrary: elsewhere });

const asked = fc.record({
  marker,
  place,
  route: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('/v1/completions', '/v1/chat/completions') },
    { weight: 1, arbitrary: fc.constantFrom(...routePatterns).map((pattern) => pattern.replace(':id', 'default')) },
  ),
  method: fc.oneof({ weight: 4, arbitrary: fc.constant('POST') }, { weight: 1, arbitrary: fc.constantFrom(...methods) }),
  holder: fc.oneof(
    { weight: 6, arbitrary: fc.constant('key' as const) },
    { weight: 1, arbitrary: fc.constantFrom('sealed' as const, 'auditor' as const, undefined) },
  ),
  leaves: fc.constantFrom(true, ...Array<boolean>(9).fill(false)),
});

/** The status; undefined where there was no answer. */
function send({ method, path, headers, body }: Sent, leaves: boolean): Promise<number | undefined> {
  return new Promise((resolve) => {
    // Longer than no time, so that a part of it may be on its way.
    const signal = leaves ? { signal: AbortSignal.timeout(3) } : {};
    const read = async (answer: IncomingMessage): Promise<number | undefined> => {
      const said = await readText(answer).catch(() => '');
      if ((answer.statusCode ?? 0) >= 400) refusals.push(`${JSON.stringify(answer.headers)}${said}`);
      return answer.statusCode;
    };
    // Without a client's own ideas of what may have a body.
    httpRequest(`${url}${path}`, { method, headers: { ...headers, 'content-length': Buffer.byteLength(body) }, ...signal }, (answer) => resolve(read(answer)))
      .on('error', () => resolve(undefined))
      .end(body);
  });
}

/** All bytes of a folder, and of what was written elsewhere, in small letters. */
function gather(): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'));
  return [...bytes, ...files.map(({ name }) => name), ...lines].join('\n').toLowerCase();
}

/** Of another type, or of the right one with something inside that is not known. */
const wrongValues: readonly ((text: string) => unknown)[] = [
  (text) => text,
  (text) => text.repeat(20),
  (text) => [text],
  (text) => ({ [text]: text }),
  (text) => [{ [text]: text }],
  (text) => [[{ role: text, content: [{ type: text, text }] }]],
];

test('every field of every route that computes, with every wrong value', async () => {
  const statuses = new Set<number | undefined>();
  for (const path of ['/v1/completions', '/v1/chat/completions']) {
    const { prompt, messages, ...rest } = standard;
    const base = path.includes('chat') ? { ...rest, messages } : { ...rest, prompt };
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${secrets.key}` };
    // The refusal of a field that is not known names all that are.
    await send({ method: 'POST', path, headers, body: json({ ...base, unheardOf: 1 }) }, false);
    const known = /it knows: ([^"]*)\./.exec(refusals.at(-1) ?? '')?.[1]?.split(', ') ?? [];
    expect(known.length).toBeGreaterThan(20);
    for (const name of known) {
      for (const make of wrongValues) {
        const [needle = ''] = fc.sample(letters, { seed: needles.length, numRuns: 1 });
        needles.push(needle);
        statuses.add(await send({ method: 'POST', path, headers, body: json({ ...base, [name]: make(needle) }) }, false));
      }
    }
  }
  // What is passed over, as `user` is, is answered.
  expect(statuses).toEqual(new Set([200, 400, 404]));
  expect(new Set(needles).size).toBe(needles.length);
});

test(`${requests} markers leave no trace, and a marker that was planted is found`, async () => {
  const statuses = new Map<number | undefined, number>();
  for (const {
    marker: { text, needle },
    place: put,
    route,
    method,
    holder,
    leaves,
  } of fc.sample(asked, { seed: 8, numRuns: requests })) {
    const { prompt, messages, ...rest } = standard;
    const body = JSON.stringify(route === '/v1/chat/completions' ? { ...rest, messages } : { ...rest, prompt });
    const headers = { 'content-type': 'application/json', ...(holder === undefined ? {} : { authorization: `Bearer ${secrets[holder]}` }) };
    const sent = put(text, { method, path: route, headers, body });
    const status = await send(sent, leaves);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    // A UUID is what that header is for.
    if (sent.headers['x-inward-correlation'] !== needle) needles.push(needle);
  }
  // Token ids, as text and as bytes.
  const ids = fc.sample(fc.integer({ min: 128, max: 255 }), { seed: 9, numRuns: 24 });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${secrets.key}` };
  expect(await send({ method: 'POST', path: '/v1/completions', headers, body: json({ model: 'default', prompt: [ids], max_tokens: 3 }) }, false)).toBe(200);
  needles.push(ids.slice(0, 5).join(','), Buffer.from(ids.slice(0, 8)).toString('latin1').toLowerCase());
  const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${secrets.auditor}` } });
  expect(metrics.status).toBe(200);
  lines.push(await metrics.text());
  const running = gather();
  await close();
  const traces = `${running}${gather()}${refusals.join('\n').toLowerCase()}`;

  expect(needles.filter((needle) => traces.includes(needle))).toEqual([]);
  // Every way of being let in and refused was taken.
  for (const status of [200, 400, 401, 403, 404, 405, 413, 415, undefined])
    expect([status, statuses.get(status) ?? 0]).toEqual([status, expect.toSatisfy((count: number) => count > 0)]);
  const counts = new Map<string, number>();
  const report = await verifyLog(await openFolder(join(folder, 'audit', '1')), {
    onRecord: (_, text) => {
      const { event } = decodeRecord(text);
      counts.set(event, (counts.get(event) ?? 0) + 1);
    },
  });
  expect([report.flaws, report.open]).toEqual([[], 0]);
  for (const event of ['intent', 'outcome', 'auth_failed', 'denied', 'break_glass'])
    expect([event, counts.get(event) ?? 0]).toEqual([event, expect.toSatisfy((count: number) => count > 5)]);
  // And it would be seen.
  const [planted = ''] = needles;
  for (const place of [join(folder, 'planted'), join(folder, 'audit', '1', 'head')]) {
    const before = readSafely(place);
    writeFileSync(place, `{"tenant":"${planted}"}`);
    expect(gather()).toContain(planted);
    writeFileSync(place, before);
    expect(gather()).not.toContain(planted);
  }
});

function readSafely(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
