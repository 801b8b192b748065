/** Streams that run while an agreement ends, a key is revoked or the clock is turned: what their clients read, over HTTP. */
import { afterEach, expect, test } from 'vitest';
import { buildApp } from '../../server/app.ts';
import { parseSettings } from '../../server/config.ts';
import type { LogRecord } from '../../server/log.ts';
import { expiryGraceMs } from '../../server/privacy/admission.ts';
import { Gate } from '../../server/privacy/gate.ts';
import { FakeEngine } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';
import { createSite, day, TestClock } from './privacy/agreed-site.ts';
import { createTestTrail } from './privacy/test-trail.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start() {
  const site = await createSite();
  const clock = new TestClock();
  const agreement = await site.agree();
  await site.deploy(agreement);
  const { text, id } = await site.key();
  const gate = await Gate.open(site.store, { trail: createTestTrail(), isLocal: true, wall: clock.wall, monotonic: clock.monotonic, pollMs: 5 });
  const engine = new FakeEngine({ script: say('abc'.repeat(1000)), stepMs: 1 });
  const records: LogRecord[] = [];
  const app = buildApp({ models: { current: { engine, text: new FakeText() } }, gate, settings: parseSettings({}), log: (record) => records.push(record) });
  const url = await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' });
  closers.push(
    () => gate[Symbol.asyncDispose](),
    () => app.close(),
  );
  const ask = (stream: boolean, signal?: AbortSignal): Promise<Response> =>
    fetch(`${url}/v1/completions`, {
      method: 'POST',
      ...(signal === undefined ? {} : { signal }),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${text}` },
      body: JSON.stringify({ model: 'default', prompt: 'Hi', max_tokens: 3000, stream }),
    });
  return { site, clock, agreement, id, gate, engine, ask, records };
}

/** A stream that has begun. */
async function begin(response: Response): Promise<{ rest(): Promise<string>; read(): Promise<string> }> {
  expect(response.status).toBe(200);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  const read = async (): Promise<string> => decoder.decode((await reader.read()).value, { stream: true });
  await read();
  return {
    read,
    rest: async () => {
      let text = '';
      for (let next = await reader.read(); !next.done; next = await reader.read()) text += decoder.decode(next.value, { stream: true });
      return text;
    },
  };
}

test('the agreement is revoked: the stream ends with the reason as its last frame, and the engine stops', async () => {
  const { site, clock, agreement, id, engine, ask, records } = await start();
  const stream = await begin(await ask(true));
  await site.store.revokeAgreement(agreement, 'officer', clock.wall());
  const rest = await stream.rest();
  expect(rest.trimEnd().split('\n').at(-1)).toContain('"code":"agreement_revoked"');
  expect(rest).not.toContain('[DONE]');
  await expect.poll(() => engine.running).toBe(0);
  expect((await ask(true)).status).toBe(403);
  // Told as what it is, and with the key.
  expect(records.filter(({ event }) => event === 'failure')).toEqual([]);
  expect(records).toContainEqual(expect.objectContaining({ event: 'request', refusal: 'agreement_revoked', keyId: id }));
});

test('the key is revoked: its stream ends, and so does an answer that is no stream', async () => {
  const { site, clock, id, engine, ask } = await start();
  const [stream, whole] = [await begin(await ask(true)), ask(false)];
  await expect.poll(() => engine.running).toBe(2);
  await site.store.revokeKey(id, 'an-admin', clock.wall());
  expect(await stream.rest()).toContain('"code":"key_revoked"');
  expect((await whole).status).toBe(401);
  await expect.poll(() => engine.running).toBe(0);
});

test('the agreement expires: the stream goes on for the grace time, new requests are refused at once', async () => {
  const { clock, ask } = await start();
  const stream = await begin(await ask(true));
  clock.pass(100 * day);
  expect((await ask(false)).status).toBe(403);
  expect(await stream.read()).toContain('data: ');
  clock.pass(expiryGraceMs);
  expect(await stream.rest()).toContain('"code":"agreement_expired"');
});

test('the clock is turned back: what happens cannot be recorded, so that the stream ends and new requests are told', async () => {
  const { clock, ask } = await start();
  const stream = await begin(await ask(true));
  clock.step(-day);
  const refused = await ask(false);
  expect([refused.status, ((await refused.json()) as { error: { code: string } }).error.code]).toEqual([503, 'audit_unavailable']);
  const rest = await stream.rest();
  expect(rest).toContain('"code":"audit_unavailable"');
  expect(rest).not.toContain('[DONE]');
  clock.step(day);
  expect((await ask(false)).status).toBe(200);
});

test('what a client has used counts, also where he left in the middle', async () => {
  const { site, id, gate, engine, ask } = await start();
  const abort = new AbortController();
  const stream = await begin(await ask(true, abort.signal));
  await stream.read();
  abort.abort();
  await expect.poll(() => gate.running).toBe(0);
  const promptLength = engine.requests[0]?.promptIds.length ?? 0;
  expect(engine.generatedTokens).toBeLessThan(3000);
  const readUsed = async (): Promise<number> => (await site.store.readUsage(Math.floor((gate.now() ?? 0) / day))).find((used) => used.id === id)?.tokens ?? 0;
  await expect.poll(readUsed, { timeout: 10_000 }).toBeGreaterThan(promptLength);
  expect(await readUsed()).toBeLessThanOrEqual(promptLength + engine.generatedTokens);
});
