/** The gate under requests that run: revocation, expiry, clocks, scopes, quotas, break-glass, a store that fails. */
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { type Caller, expiryGraceMs, type RouteRule } from '../../../server/privacy/admission.ts';
import { Refusal, SiteError } from '../../../server/privacy/errors.ts';
import { Gate, type GateEvent, type GateOptions } from '../../../server/privacy/gate.ts';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import type { Store } from '../../../server/privacy/store.ts';
import { begin, createSite, day, formatTime, TestClock, type TestSite } from './agreed-site.ts';
import { createTestTrail, use } from './test-trail.ts';

const chat: RouteRule = { scope: 'chat', isInference: true };
const call = (text: string, more: Partial<Caller> = {}): Caller => ({ authorization: `Bearer ${text}`, address: '10.1.2.3', ...more });

let open: { readonly gate: Gate; readonly clock: TestClock; readonly site: TestSite; readonly events: GateEvent[]; readonly agreement: string };
afterEach(() => open.gate[Symbol.asyncDispose]());

async function start(options: Partial<GateOptions> = {}, store?: Store): Promise<typeof open> {
  const site = await createSite(store);
  const clock = new TestClock();
  const agreement = await site.agree();
  await site.deploy(agreement);
  const gate = await Gate.open(site.store, { trail: createTestTrail(), isLocal: false, wall: clock.wall, monotonic: clock.monotonic, pollMs: 5, ...options });
  const events: GateEvent[] = [];
  gate.onEvent((event) => events.push(event));
  open = { gate, clock, site, events, agreement };
  return open;
}

const codeOf = async (admitted: Promise<unknown>): Promise<string> => {
  const error = await admitted.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) return 'let in';
  if (!(error instanceof Refusal)) throw error;
  return error.code;
};
const aborted = (signal: AbortSignal): Promise<Refusal> =>
  new Promise((resolve) => (signal.aborted ? resolve(signal.reason) : signal.addEventListener('abort', () => resolve(signal.reason), { once: true })));
const eventOf = async (name: GateEvent['event']): Promise<GateEvent> =>
  expect.poll(() => open.events.find(({ event }) => event === name)).toBeTruthy() as never;

test('a revoked agreement cuts running answers at once, closes the gate and refuses new requests', async () => {
  const { gate, site, agreement, clock } = await start();
  const { text } = await site.key();
  const admission = await gate.admit(chat, call(text));
  await site.store.revokeAgreement(agreement, 'officer', clock.wall());
  expect((await aborted(admission.signal)).code).toBe('agreement_revoked');
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('agreement_revoked');
  await eventOf('gate_closed');
  expect(gate.isOpen).toBe(false);
});

test('the next request after a revocation is refused, however soon it comes', async () => {
  const { gate, site, clock } = await start({ pollMs: 1_000_000 });
  const { text, id } = await site.key();
  (await gate.admit(chat, call(text))).end();
  await site.store.revokeKey(id, 'an-admin', clock.wall());
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('key_revoked');
});

test('answers that run when an agreement expires may go on for the grace time, and new requests may not', async () => {
  const { gate, site, clock } = await start();
  const { text } = await site.key();
  const admission = await gate.admit(chat, call(text));
  clock.pass(100 * day - 60_000);
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('agreement_expired');
  expect(admission.signal.aborted).toBe(false);
  expect(gate.isOpen).toBe(true);
  clock.pass(expiryGraceMs - 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(admission.signal.aborted).toBe(false);
  clock.pass(1);
  expect((await aborted(admission.signal)).code).toBe('agreement_expired');
  await eventOf('gate_closed');
});

test('an agreement that supersedes another takes over without a gap, and the gate stays open', async () => {
  const { gate, site, clock, agreement, events } = await start();
  const { text } = await site.key();
  const next = await site.agree({ effective: formatTime(begin + 50 * day), expires: formatTime(begin + 200 * day), supersedes: agreement });
  const running = await gate.admit(chat, call(text));
  expect(running.granted?.agreementId).toBe(agreement);
  clock.pass(60 * day);
  expect((await gate.admit(chat, call(text))).granted?.agreementId).toBe(next);
  expect(events.map(({ event }) => event)).not.toContain('gate_closed');
});

test('a revoked key and an expired one cut their own answers only', async () => {
  const { gate, site, clock } = await start();
  const [one, two, three] = [await site.key(), await site.key({ expiresAt: begin + day }), await site.key()];
  const running = await Promise.all([one, two, three].map(({ text }) => gate.admit(chat, call(text))));
  await site.store.revokeKey(one.id, 'an-admin', clock.wall());
  expect((await aborted(running[0]?.signal as AbortSignal)).code).toBe('key_revoked');
  clock.pass(day);
  expect((await aborted(running[1]?.signal as AbortSignal)).code).toBe('key_expired');
  expect(running[2]?.signal.aborted).toBe(false);
});

test('a clock that is turned back refuses everything, says so, and is taken again when it is right', async () => {
  const { gate, site, clock } = await start();
  const { text } = await site.key();
  (await gate.admit(chat, call(text))).end();
  clock.pass(day);
  clock.step(-day);
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('audit_unavailable');
  await eventOf('clock_untrusted');
  clock.step(day);
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('let in');
});

test('an expired agreement is not brought back by turning the clock back, nor by a new start', async () => {
  const { gate, site, clock } = await start();
  const { text } = await site.key();
  clock.pass(101 * day);
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('agreement_expired');
  clock.step(-50 * day);
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('audit_unavailable');
  await site.store.keepClock(clock.wall() + 50 * day);
  await expect(Gate.open(site.store, { trail: createTestTrail(), isLocal: true, wall: clock.wall })).rejects.toThrow(SiteError);
});

test('the time that was seen is kept in the store, so that a new start can tell', async () => {
  const { site, clock } = await start();
  clock.pass(day);
  await expect.poll(async () => (await site.store.load()).clock, { timeout: 10_000 }).toBe(clock.wall());
});

const scoped: readonly (readonly [string, Parameters<TestSite['key']>[0], Partial<Caller>, string])[] = [
  ['inside its network', { scopes: { networks: ['10.1.0.0/16'] } }, {}, 'let in'],
  ['outside its network', { scopes: { networks: ['10.2.0.0/16'] } }, {}, 'network_denied'],
  ['at its hours', { scopes: { hours: { days: [3], from: '08:00', to: '18:00', timeZone: 'UTC' } } }, {}, 'let in'],
  ['on another day', { scopes: { hours: { days: [4], from: '08:00', to: '18:00', timeZone: 'UTC' } } }, {}, 'hours_denied'],
  ['in its region', { scopes: { region: 'us-east' } }, {}, 'let in'],
  ['in another region', { scopes: { region: 'us-west' } }, {}, 'region_mismatch'],
  ['that demands this region', {}, { region: 'us-east' }, 'let in'],
  ['that demands another region', {}, { region: 'eu-west' }, 'region_mismatch'],
  ['that demands nonsense', {}, { region: '' }, 'region_mismatch'],
  ['for its only purpose', {}, { purpose: 'documentation' }, 'let in'],
  ['for a purpose that it has not', {}, { purpose: 'messaging' }, 'purpose_denied'],
  ['for a purpose that is none', {}, { purpose: 'gossip' }, 'purpose_denied'],
  ['with two purposes and none named', { scopes: { purposes: ['documentation', 'messaging'] } }, {}, 'purpose_missing'],
  ['with two purposes and one named', { scopes: { purposes: ['documentation', 'messaging'] } }, { purpose: 'messaging' }, 'let in'],
  ['for a purpose that the agreement has not', { scopes: { purposes: ['documentation', 'coding'] } }, { purpose: 'coding' }, 'purpose_denied'],
  ['for synthetic data', { data: 'synthetic', scopes: { purposes: ['evaluation'] } }, {}, 'data_class_denied'],
  ['for another route', { scopes: { routes: ['models'] } }, {}, 'route_denied'],
];
test.each(scoped)('a key %s', async (_, changes, caller, expected) => {
  const { gate, site } = await start();
  const { text } = await site.key(changes);
  expect(await codeOf(gate.admit(chat, call(text, caller)))).toBe(expected);
});

test('a key with one letter changed, another kind, or without its scheme is not taken', async () => {
  const { gate, site } = await start();
  const { text } = await site.key();
  const person = await site.person('somebody', 'admin');
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === 'a' ? 'b' : 'a';
    expect(await codeOf(gate.admit(chat, call(`${text.slice(0, at)}${other}${text.slice(at + 1)}`)))).toBe('key_invalid');
  }
  for (const authorization of [text, `Basic ${text}`, `Bearer  ${text}`, `Bearer ${text} x`, 'Bearer ', 'Bearer eyJhbGciOiJub25lIn0.e30.']) {
    expect(await codeOf(gate.admit(chat, { authorization, address: '::1' }))).toBe('key_invalid');
  }
  expect(await codeOf(gate.admit(chat, { authorization: undefined, address: '::1' }))).toBe('key_missing');
  expect(await codeOf(gate.admit(chat, call(person)))).toBe('role_denied');
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('let in');
});

test('a certificate is its holder, until it is revoked', async () => {
  const { gate, site, clock } = await start();
  const fingerprint = 'ab'.repeat(32);
  const { id } = await site.key({ credential: { type: 'certificate', fingerprint } });
  const caller: Caller = { authorization: undefined, address: '::1', fingerprint };
  expect(await codeOf(gate.admit(chat, caller))).toBe('let in');
  expect(await codeOf(gate.admit(chat, { ...caller, fingerprint: 'cd'.repeat(32) }))).toBe('key_missing');
  await site.store.revokeKey(id, 'an-admin', clock.wall());
  expect(await codeOf(gate.admit(chat, caller))).toBe('key_revoked');
});

test('a break-glass key goes past hours, networks and quotas, never past the agreement; it is loud and ends after its time', async () => {
  const { gate, site, clock, agreement } = await start();
  const { text, id } = await site.key({
    isSealed: true,
    scopes: { networks: ['192.0.2.0/24'], hours: { days: [7], from: '00:00', to: '00:01', timeZone: 'UTC' }, tokensPerDay: 1 },
  });
  const admission = await gate.admit(chat, call(text));
  expect(admission.granted).toMatchObject({ isBreakGlass: true, purpose: 'emergency' });
  await admission.granted?.begin(1e6);
  await eventOf('break_glass');
  expect(open.events).toContainEqual({ event: 'break_glass', keyId: id });
  expect(gate.counts.breakGlassUses).toBe(1);
  clock.pass(4 * 3_600_000 - 1);
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('let in');
  clock.pass(1);
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('key_spent');
  expect((await aborted(admission.signal)).code).toBe('key_spent');
  const other = await site.key({ isSealed: true });
  await site.store.revokeAgreement(agreement, 'officer', clock.wall());
  expect(await codeOf(gate.admit(chat, call(other.text)))).toBe('agreement_revoked');
});

test('a key of class batch never gets a more urgent one', async () => {
  const { gate, site } = await start();
  const { text } = await site.key({ scopes: { priority: 'batch' } });
  expect((await gate.admit(chat, call(text))).granted?.priority).toBe('batch');
});

test('models: only those of the key', async () => {
  const { gate, site } = await start();
  const { text } = await site.key({ scopes: { models: ['small'] } });
  const { granted } = await gate.admit(chat, call(text));
  granted?.checkModel('small');
  expect(() => granted?.checkModel('large')).toThrow(Refusal);
});

test('quotas of key and tenant hold over requests and over a new start', async () => {
  const { gate, site, clock } = await start();
  await site.store.setTenantQuota({ code: 'lab', tokensPerDay: 500 }, 'setup', clock.wall());
  const { text } = await site.key({ tenant: 'lab', scopes: { tokensPerDay: 400 } });
  const first = await gate.admit(chat, call(text));
  await first.granted?.begin(300);
  first.granted?.settle(use(250));
  first.end();
  const other = await site.key({ tenant: 'lab' });
  const second = await gate.admit(chat, call(other.text));
  await expect(second.granted?.begin(251)).rejects.toThrow(expect.objectContaining({ code: 'quota_exceeded' }));
  await second.granted?.begin(250);
  second.end();
  await expect.poll(() => site.store.readUsage(Math.floor(begin / day)), { timeout: 10_000 }).toContainEqual({ scope: 'tenant', id: 'lab', tokens: 250 });
  const again = await Gate.open(site.store, { trail: createTestTrail(), isLocal: false, wall: clock.wall, monotonic: clock.monotonic });
  const third = await again.admit(chat, call(text));
  await expect(third.granted?.begin(151)).rejects.toThrow(expect.objectContaining({ code: 'quota_exceeded' }));
  await third.granted?.begin(150);
});

test('warnings come once each, 30, 14, 7 and 1 days before the end', async () => {
  const { clock } = await start();
  const days = (): number[] => open.events.flatMap((event) => (event.event === 'agreement_ending' ? [event.days] : []));
  for (const left of [31, 30, 20, 14, 8, 7, 2, 1]) {
    clock.pass(begin + 100 * day - clock.wall() - left * day);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  expect(days()).toEqual([30, 14, 7, 1]);
});

test('a synthetic agreement does not open a server that others can reach', async () => {
  const site = await createSite();
  await site.agree({ kind: 'synthetic', purposes: ['evaluation'], documentSha256: undefined, expires: formatTime(begin + 30 * day) });
  const { text } = await site.key({ data: 'synthetic', scopes: { purposes: ['evaluation'] } });
  const clock = new TestClock();
  for (const [isLocal, expected] of [[true, 'let in'] as const, [false, 'agreement_missing'] as const]) {
    const gate = await Gate.open(site.store, { trail: createTestTrail(), isLocal, wall: clock.wall, monotonic: clock.monotonic });
    expect(await codeOf(gate.admit(chat, call(text)))).toBe(expected);
  }
});

test('a store that can no longer be read opens nothing and cuts what runs; it opens again when it can', async () => {
  const real = await openStore(':memory:');
  let isBroken = false;
  const store = new Proxy(real, {
    get: (target, name) => {
      if (isBroken && (name === 'version' || name === 'load')) throw new SiteError('The store cannot be read.');
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const { gate, site } = await start({}, store);
  const { text } = await site.key();
  const admission = await gate.admit(chat, call(text));
  isBroken = true;
  expect((await aborted(admission.signal)).code).toBe('agreement_missing');
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('agreement_missing');
  await eventOf('store_unreadable');
  isBroken = false;
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('let in');
});

test('a clock that is turned back for a while does not unload the model', async () => {
  const { gate, clock, events } = await start();
  clock.pass(day);
  await new Promise((resolve) => setTimeout(resolve, 20));
  clock.step(-day);
  await eventOf('clock_untrusted');
  expect(gate.isOpen).toBe(true);
  expect(events.map(({ event }) => event)).not.toContain('gate_closed');
});

test('whatever stands in the head of a request, without a key nobody is let in, and nothing but a refusal comes out', async () => {
  const { gate, site } = await start();
  const { text } = await site.key({ scopes: { purposes: ['documentation', 'messaging'], networks: ['10.0.0.0/8'], region: 'us-east' } });
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(text, text.slice(0, 30), 'Bearer', 'bearer ', 'inw_phi_', 'inw_glass_', 'eyJhbGciOiJub25lIn0', '.', ' ', '\0', 'documentation', 'us-east'),
  );
  const header = fc.option(
    fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join('')),
    { nil: undefined },
  );
  await fc.assert(
    fc.asyncProperty(header, header, header, fc.string(), async (authorization, purpose, region, address) => {
      fc.pre(!new RegExp(`^bearer ${text}$`, 'i').test(authorization ?? ''));
      expect(await codeOf(gate.admit(chat, { authorization, purpose, region, address }))).not.toBe('let in');
    }),
    { numRuns: 2000, seed: 3 },
  );
  // And with it only where the rest is right.
  const mostly = (...right: readonly string[]) => fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...right) }, header);
  const place = fc.oneof(fc.constantFrom('10.1.2.3', '10.200.0.1', '11.1.2.3', '::ffff:10.0.0.1'), fc.string());
  let letIn = 0;
  await fc.assert(
    fc.asyncProperty(mostly('documentation', 'messaging'), mostly('us-east'), place, async (purpose, region, address) => {
      const code = await codeOf(gate.admit(chat, call(text, { purpose, region, address })));
      const isRight =
        (purpose === 'documentation' || purpose === 'messaging') &&
        (region === undefined || region === 'us-east') &&
        ['10.1.2.3', '10.200.0.1', '::ffff:10.0.0.1'].includes(address);
      expect(code === 'let in').toBe(isRight);
      letIn += isRight ? 1 : 0;
    }),
    { numRuns: 1000, seed: 4 },
  );
  expect(letIn).toBeGreaterThan(50);
});

test('a store that cannot be written for a while cuts nothing, and no count is lost', async () => {
  const real = await openStore(':memory:');
  let isBusy = false;
  const store = new Proxy(real, {
    get: (target, name) => {
      if (isBusy && name === 'addUsage') throw new SiteError('The store is busy.');
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const { gate, site } = await start({}, store);
  const { text, id } = await site.key();
  const admission = await gate.admit(chat, call(text));
  isBusy = true;
  await admission.granted?.begin(100);
  admission.granted?.settle(use(70));
  await expect.poll(() => open.events.some(({ event }) => event === 'store_unwritable'), { timeout: 10_000 }).toBe(true);
  expect(admission.signal.aborted).toBe(false);
  isBusy = false;
  await expect.poll(() => site.store.readUsage(Math.floor(begin / day)), { timeout: 10_000 }).toContainEqual({ scope: 'key', id, tokens: 70 });
});

test('that an agreement has ended by time is told once, and recorded', async () => {
  const trail = createTestTrail();
  const { clock, agreement, events } = await start({ trail });
  await expect.poll(() => events.length).toBe(0);
  await new Promise((resolve) => setTimeout(resolve, 30));
  clock.pass(101 * day);
  await eventOf('agreement_ended');
  await new Promise((resolve) => setTimeout(resolve, 30));
  const ended = { event: 'agreement_ended', state: 'expired' };
  expect(events.filter(({ event }) => event === 'agreement_ended')).toEqual([{ ...ended, agreementId: agreement }]);
  expect(trail.events.filter(({ event }) => event === 'agreement_ended')).toEqual([{ ...ended, agreement }]);
});

test('while the clock is wrong nothing can be recorded and so nothing goes on; what has an end ends all the same', async () => {
  const { gate, site, clock } = await start();
  const { text } = await site.key();
  const admission = await gate.admit(chat, call(text));
  clock.pass(100 * day - 30_000);
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('agreement_expired');
  clock.step(-3_600_000);
  clock.pass(expiryGraceMs);
  clock.step(-expiryGraceMs);
  expect((await aborted(admission.signal)).code).toBe('audit_unavailable');
  admission.end();
  await eventOf('gate_closed');
});

test('a clock that ran ahead in error is put back by an administrator, while the server runs', async () => {
  const { gate, site, clock } = await start();
  clock.step(50 * day);
  await expect.poll(async () => (await site.store.load()).clock, { timeout: 10_000 }).toBe(clock.wall());
  clock.step(-50 * day);
  await eventOf('clock_untrusted');
  // By itself it is not taken again, whatever else is written.
  await site.store.addTenant({ code: 'another' }, 'setup', clock.wall());
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(gate.now()).toBeUndefined();
  await site.store.resetClock('setup', clock.wall());
  await expect.poll(() => gate.now()).toBe(clock.wall());
});

test('when the agreement of one department ends, what is kept of it is named, and the others go on', async () => {
  const hosts = ['cd'.repeat(32)];
  const site = await createSite();
  const clock = new TestClock();
  const [main, lab] = [await site.agree({ tenants: ['main'], hosts }), await site.agree({ tenants: ['lab'], hosts })];
  await site.deploy(main);
  const gate = await Gate.open(site.store, { trail: createTestTrail(), isLocal: false, wall: clock.wall, monotonic: clock.monotonic, pollMs: 5 });
  const events: GateEvent[] = [];
  gate.onEvent((event) => events.push(event));
  open = { gate, clock, site, events, agreement: main };
  const key = await site.key({ tenant: 'lab' });
  (await gate.admit(chat, call(key.text))).end();
  await site.store.revokeAgreement(lab, 'officer', clock.wall());
  const number = (await site.store.load()).tenants.find(({ code }) => code === 'lab')?.number;
  await expect.poll(() => events).toContainEqual({ event: 'tenant_closed', tenant: number });
  expect(gate.isOpen).toBe(true);
  expect(events.filter(({ event }) => event === 'tenant_closed')).toHaveLength(1);
});

test('a break-glass key is loud wherever it is tried, and opened by inference alone', async () => {
  const { gate, site, events } = await start();
  const { text, id } = await site.key({ isSealed: true, scopes: { routes: ['chat', 'metrics'] } });
  await gate.admit({ scope: 'metrics', isInference: false }, call(text));
  await gate.admit({ isAnyone: true, isInference: false }, call(text));
  expect(events).toEqual([
    { event: 'break_glass', keyId: id },
    { event: 'break_glass', keyId: id },
  ]);
  expect((await site.store.load()).keys.find((key) => key.id === id)?.openedAt).toBeUndefined();
});

test('once closed, a gate lets nobody in', async () => {
  const { gate, site } = await start();
  const { text } = await site.key();
  await gate[Symbol.asyncDispose]();
  expect(await codeOf(gate.admit(chat, call(text)))).toBe('agreement_missing');
});

test('a new manifest, and PHI in the place of synthetic data, are told: what is loaded was not held against them', async () => {
  const { gate, site, clock, events, agreement } = await start({ isLocal: true });
  const told = (): number => events.filter(({ event }) => event === 'deployment_changed').length;
  await site.store.addTenant({ code: 'another' }, 'setup', clock.wall());
  await expect.poll(() => gate.view?.tenants.size).toBe(3);
  expect(told()).toBe(0);
  await site.deploy(agreement);
  await expect.poll(told).toBe(1);
  // From one look to the next, so that the gate never closes.
  const kind = { kind: 'synthetic', purposes: ['evaluation'], documentSha256: undefined } as const;
  await site.agree({ ...kind, effective: formatTime(begin + 100 * day), expires: formatTime(begin + 130 * day) });
  clock.pass(100 * day);
  await expect.poll(told).toBe(2);
  expect(events.map(({ event }) => event)).not.toContain('gate_closed');
});

test('the store is read for changes when somebody has written to it, not at each look', async () => {
  const asked: (string | symbol)[] = [];
  const store = new Proxy(await openStore(':memory:'), {
    get: (target, name): unknown => {
      asked.push(name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  const trail = createTestTrail();
  await start({ trail, pollMs: 1 }, store);
  await expect.poll(() => asked.filter((name) => name === 'version').length).toBeGreaterThan(30);
  expect(asked.filter((name) => name === 'listChanges').length).toBeLessThan(5);
  await store.addTenant({ code: 'urology' }, 'an-admin', begin);
  await expect.poll(() => trail.events.filter(({ event }) => event === 'tenant_added').length).toBe(3);
  await expect.poll(() => store.listChanges()).toEqual([]);
});

test('the record of a break-glass key has the address in the spelling that records have', async () => {
  const trail = createTestTrail();
  const { gate, site } = await start({ trail });
  const { text, id } = await site.key({ isSealed: true });
  for (const address of ['::ffff:10.1.2.3', 'FE80::1%eth0', '', 'not an address']) (await gate.admit(chat, call(text, { address }))).end();
  expect(trail.events.filter(({ event }) => event === 'break_glass')).toEqual([
    { event: 'break_glass', key: id, address: '10.1.2.3' },
    { event: 'break_glass', key: id, address: 'fe80::1' },
    { event: 'break_glass', key: id },
    { event: 'break_glass', key: id },
  ]);
});
