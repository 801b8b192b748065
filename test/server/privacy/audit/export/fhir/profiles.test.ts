/** Which profile of IHE BALP a resource claims: it meets that whole, and what it does not claim it does not meet or does not mean. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { root } from '../../../../../../scripts/node.mjs';
import type { AuditRecord, EventName } from '../../../../../../server/privacy/audit/events.ts';
import { toAuditEvent } from '../../../../../../server/privacy/audit/export/fhir.ts';
import { anyRecord, eventNames } from '../../any-record.ts';
import { consent, disclosure, tokenRead } from './balp-examples.ts';
import { profileBase, profiles } from './balp-profiles.ts';
import { judgeProfile } from './balp-rules.ts';

const minimal = 'BasicAudit.OAUTHaccessTokenUse.Minimal';
const opaque = 'BasicAudit.OAUTHaccessTokenUse.Opaque';
const comprehensive = 'BasicAudit.OAUTHaccessTokenUse.Comprehensive';
const names = Object.keys(profiles);

const id = 'onrtac:6f9619ff-8b86-4d01-b42d-00cf4fc964ff';
const place = { seq: 7, time: Date.UTC(2026, 10, 26, 14, 3, 5, 42), up: 1000, boot: '11111111-2222-4333-8444-555555555555', host: '00112233445566aa' };
const intent = {
  ...place,
  event: 'intent',
  request: '99999999-2222-4333-8444-555555555555',
  route: '/v1/chat/completions',
  address: '10.1.2.3',
  known: 'token',
  token: id,
  tenant: 'cardiology',
  key: '0123456789',
  purpose: 'documentation',
  agreement: 'agr-00000001',
  region: 'us-east',
  data: 'phi',
  priority: 'interactive',
} satisfies AuditRecord;
const denied = {
  ...place,
  event: 'denied',
  route: '/metrics',
  address: '10.1.2.3',
  known: 'token',
  token: id,
  refusal: 'role_denied',
  person: 'anna',
} as const;

/** As it is written. */
const write = (record: AuditRecord): Record<string, unknown> => JSON.parse(JSON.stringify(toAuditEvent(record)));
const listMet = (resource: object): string[] => names.filter((name) => judgeProfile(resource, name).length === 0);

/**
 * By hand. A request with a token has the elements of Minimal, and so those of Opaque, which means the end of the token by the policy and
 * not its id. Where nobody called, the server is the application (110150), which Comprehensive means the client of a token by; a
 * reader of the trail has an agent of its user's type without a policy.
 */
const called: ReadonlySet<EventName> = new Set(['intent', 'auth_failed', 'denied', 'break_glass', 'key_opened']);
const read: ReadonlySet<EventName> = new Set(['audit_verified', 'audit_exported']);
function expectMet(record: AuditRecord): string[] {
  if ('token' in record && record.token !== undefined) return [minimal, opaque];
  return called.has(record.event) || read.has(record.event) ? [] : [comprehensive];
}

describe('of all profiles of BALP', () => {
  test.each(eventNames)('%s', (event) => {
    fc.assert(
      fc.property(anyRecord(event), (record) => {
        const resource = write(record);
        expect(listMet(resource)).toEqual(expectMet(record));
        expect(resource['meta']).toEqual('token' in record && record.token !== undefined ? { profile: [`${profileBase}IHE.${minimal}`] } : undefined);
      }),
      { numRuns: 20 },
    );
  });
});

test('the holder of a token is the user, by its key or person and the URI of the id; the program keeps its address and asked for nothing', () => {
  const token = { system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes', code: 'UserOauthAgent', display: 'User OAuth Agent participant' };
  const recipient = { system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP', display: 'information recipient' };
  const user = { type: { coding: [recipient, token] }, requestor: true, policy: [`urn:ietf:params:oauth:jti:${id}`] };
  const key = { identifier: { system: 'urn:inward:key', value: '0123456789' } };
  const network = { address: '10.1.2.3', type: '2' };
  expect(toAuditEvent(intent).agent.slice(0, 2)).toEqual([
    { ...user, who: key },
    {
      type: { coding: [{ system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110153', display: 'Source Role ID' }] },
      who: key,
      requestor: false,
      policy: ['urn:inward:agreement:agr-00000001'],
      network,
    },
  ]);
  expect(toAuditEvent(denied).agent[0]).toEqual({ ...user, who: { identifier: { system: 'urn:inward:person', value: 'anna' } } });
});

test('a token without an id, a secret and a certificate claim nothing', () => {
  for (const known of ['token', 'secret', 'certificate'] as const) {
    const resource = write({ ...intent, known, token: undefined });
    expect(resource).not.toHaveProperty('meta');
    expect(judgeProfile(resource, minimal)).toEqual(['agent:oUser: 0, not 1..*']);
    expect(JSON.stringify(resource)).toContain(`{"type":"known","valueString":"${known}"}`);
  }
});

type Agent = Record<string, unknown>;
const changes: Readonly<Record<string, readonly [change: (user: Agent, agents: Agent[]) => unknown, found: string]>> = {
  'without the user': [(_, agents) => agents.shift(), 'agent:oUser: 0, not 1..*'],
  'with a user of another type': [(user) => (user['type'] = { coding: [{ system: 'urn:inward:x', code: 'UserOauthAgent' }] }), 'agent:oUser: 0, not 1..*'],
  'with a user of no type': [(user) => delete user['type'], 'agent:oUser: 0, not 1..*'],
  'with a user who did not ask': [(user) => (user['requestor'] = false), 'agent:oUser.requestor: another value'],
  'without the id': [(user) => delete user['policy'], 'agent:oUser.policy: 0, not 1..1'],
  'with two ids': [(user) => (user['policy'] = ['urn:ietf:params:oauth:jti:1', 'urn:ietf:params:oauth:jti:2']), 'agent:oUser.policy: 2, not 1..1'],
  'with an id that is no URI': [(user) => (user['policy'] = [id]), 'agent:oUser.policy: another value'],
  'with a user at an address': [(user) => (user['network'] = { address: '10.1.2.3', type: '2' }), 'agent:oUser.network: 1, not 0..0'],
  'with a medium': [(user) => (user['media'] = { code: '110030' }), 'agent:oUser.media: 1, not 0..0'],
};
test.each(Object.keys(changes))('a claim %s is found to be wrong', (name) => {
  for (const record of [intent, denied]) {
    const resource = write(record);
    expect(judgeProfile(resource, minimal)).toEqual([]);
    const agents = resource['agent'] as Agent[];
    const [change, found] = changes[name] ?? [() => undefined, ''];
    change(agents[0] as Agent, agents);
    expect(judgeProfile(resource, minimal)).toEqual([found]);
  }
});

test('examples of BALP meet what they are examples of, but for the form of one id', () => {
  expect(listMet(tokenRead)).toEqual([opaque, 'BasicAudit.Read', 'BasicAudit.PatientRead']);
  expect(judgeProfile(tokenRead, minimal)).toEqual(['agent:oUser.policy: another value']);
  expect(listMet(consent)).toEqual(['BasicAudit.AuthZconsent']);
  expect(listMet(disclosure)).toEqual(['BasicAudit.PrivacyDisclosure.Source']);
});

test.each([
  ['BasicAudit.PatientRead', tokenRead],
  ['BasicAudit.AuthZconsent', consent],
  ['BasicAudit.PrivacyDisclosure.Source', disclosure],
])('%s: with any element gone or changed that it asks for, an example does not meet it', (name, example) => {
  for (const change of [{ type: {} }, { action: 'X' }, { subtype: undefined }, { outcome: undefined }, { agent: undefined }, { entity: undefined }]) {
    expect(judgeProfile({ ...example, ...change }, name), JSON.stringify(change)).not.toEqual([]);
  }
  expect(judgeProfile({ ...example, entity: example.entity.slice(1) }, name)).toContain('entity:patient: 0, not 1..1');
});

test('the paper goes through every profile, and says that of the one which is claimed', () => {
  const rows = readFileSync(join(root, 'docs/audit.md'), 'utf8')
    .split('\n')
    .filter((line) => /^\| `(BasicAudit|IUA)/.test(line));
  const listed = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  expect(listed.sort()).toEqual(names.toSorted());
  expect(rows.filter((row) => row.includes('claimed')).map((row) => row.split('`')[1])).toEqual([minimal]);
});
