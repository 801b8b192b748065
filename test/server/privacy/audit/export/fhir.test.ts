/** AuditEvent resources: the rules of FHIR R4 for one record of every event and for random ones, codes by hand, nothing lost. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { root } from '../../../../../scripts/node.mjs';
import type { AuditRecord } from '../../../../../server/privacy/audit/events.ts';
import type { AuditEventResource } from '../../../../../server/privacy/audit/export/fhir/resource.ts';
import { exportFhir, exportFhirBundle, toAuditEvent } from '../../../../../server/privacy/audit/export/fhir.ts';
import { listFields } from '../../../../../server/privacy/audit/export/fields.ts';
import { eventTraits } from '../../../../../server/privacy/audit/export/traits.ts';
import { purposes } from '../../../../../server/privacy/words.ts';
import { anyRecord, anyRecords, eventNames, oneOfEach } from '../any-record.ts';
import { judgeResource } from './fhir-rules.ts';

const log = '0123456789abcdef0123456789abcdef';
const place = { seq: 7, time: Date.UTC(2026, 10, 26, 14, 3, 5, 42), up: 1000, boot: '11111111-2222-4333-8444-555555555555', host: '00112233445566aa' };
const intent: AuditRecord = {
  ...place,
  event: 'intent',
  request: '99999999-2222-4333-8444-555555555555',
  route: '/v1/chat/completions',
  address: '10.1.2.3',
  tenant: 'cardiology',
  key: '0123456789',
  purpose: 'prior-authorization',
  agreement: 'agr-00000001',
  region: 'us-east',
  data: 'phi',
  priority: 'interactive',
  model: 'llama-3.2-1b',
};

describe('rules of R4', () => {
  test.each(eventNames)('%s', (event) => {
    fc.assert(
      fc.property(anyRecord(event), fc.boolean(), (record, isNamed) => {
        expect(judgeResource(JSON.parse(JSON.stringify(toAuditEvent(record, isNamed ? { log, site: 'st-mary' } : {}))))).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  const good = (): Record<string, unknown> => JSON.parse(JSON.stringify(toAuditEvent(intent, { log })));
  const changes: Readonly<Record<string, (resource: ReturnType<typeof good>) => unknown>> = {
    'without agent': (resource) => delete resource['agent'],
    'an empty array of agents': (resource) => (resource['agent'] = []),
    'an agent that does not say whether it asked': (resource) => (resource['agent'] = [{ altId: 'x' }]),
    'an unknown element': (resource) => (resource['patient'] = { identifier: { value: '1' } }),
    'an extension': (resource) => (resource['extension'] = [{ url: 'http://example.org', valueString: 'x' }]),
    'an outcome that R4 does not have': (resource) => (resource['outcome'] = '2'),
    'a date as instant': (resource) => (resource['recorded'] = '2026-11-26'),
    'a type of another list': (resource) =>
      (resource['type'] = { system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110120', display: 'Application Start' }),
    'a wrong display': (resource) =>
      (resource['type'] = { system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110100', display: 'Application Start' }),
    'an observer that is nothing': (resource) => (resource['source'] = { observer: {} }),
    'a period that ends before it begins': (resource) => (resource['period'] = { start: '2026-11-26T00:00:01Z', end: '2026-11-26T00:00:00Z' }),
    'a name and a query': (resource) => (resource['entity'] = [{ name: 'x', query: 'eA==' }]),
  };
  test.each(Object.keys(changes))('the checker finds %s', (name) => {
    const resource = good();
    expect(judgeResource(resource)).toEqual([]);
    changes[name]?.(resource);
    expect(judgeResource(resource)).not.toEqual([]);
  });
});

// By hand from the tables of DICOM PS3.16 and from what the events are.
test.each([
  ['started', '110100', '110120'],
  ['stopped', '110100', '110121'],
  ['auth_failed', '110114', '110122'],
  ['denied', '110113', '110132'],
  ['break_glass', '110113', '110127'],
  ['key_opened', '110113', '110127'],
  ['audit_stopped', '110113', '110133'],
  ['audit_resumed', '110113', '110134'],
  ['person_added', '110113', '110136'],
  ['key_created', '110113', '110137'],
  ['config_changed', '110113', '110129'],
  ['deployment_changed', '110113', '110131'],
  ['audit_exported', '110101', undefined],
  ['audit_verified', '110101', undefined],
  ['intent', '110100', undefined],
] as const)('%s is %s %s', (event, type, subtype) => {
  const record = oneOfEach.find((one) => one.event === event);
  const resource = toAuditEvent(record as AuditRecord);
  expect(resource.type.code).toBe(type);
  expect(resource.subtype.map(({ code }) => code)).toEqual(subtype === undefined ? [event] : [subtype, event]);
});

test('an intent by hand', () => {
  expect(toAuditEvent(intent, { log, site: 'st-mary' })).toEqual({
    resourceType: 'AuditEvent',
    id: `${log}-7`,
    type: { system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110100', display: 'Application Activity' },
    subtype: [{ system: 'urn:inward:audit-event', code: 'intent' }],
    action: 'E',
    recorded: '2026-11-26T14:03:05.042Z',
    purposeOfEvent: [
      {
        coding: [
          { system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'COVAUTH', display: 'coverage authorization' },
          { system: 'urn:inward:purpose', code: 'prior-authorization' },
        ],
      },
    ],
    agent: [
      {
        type: { coding: [{ system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110153', display: 'Source Role ID' }] },
        who: { identifier: { system: 'urn:inward:key', value: '0123456789' } },
        requestor: true,
        policy: ['urn:inward:agreement:agr-00000001'],
        network: { address: '10.1.2.3', type: '2' },
      },
      {
        type: { coding: [{ system: 'http://dicom.nema.org/resources/ontology/DCM', code: '110152', display: 'Destination Role ID' }] },
        who: { type: 'Device', identifier: { system: 'urn:inward:host', value: '00112233445566aa' } },
        requestor: false,
      },
    ],
    source: {
      site: 'st-mary',
      observer: { type: 'Device', identifier: { system: 'urn:inward:host', value: '00112233445566aa' } },
      type: [{ system: 'http://terminology.hl7.org/CodeSystem/security-source-type', code: '4', display: 'Application Server' }],
    },
    entity: [
      {
        what: { identifier: { system: 'urn:inward:request', value: '99999999-2222-4333-8444-555555555555' } },
        type: { system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType', code: 'XrequestId' },
      },
      {
        what: { identifier: { system: 'urn:inward:tenant', value: 'cardiology' } },
        type: { system: 'http://terminology.hl7.org/CodeSystem/audit-entity-type', code: '3', display: 'Organization' },
      },
      {
        what: { identifier: { system: 'urn:inward:agreement', value: 'agr-00000001' } },
        type: { system: 'http://terminology.hl7.org/CodeSystem/audit-entity-type', code: '2', display: 'System Object' },
        role: { system: 'http://terminology.hl7.org/CodeSystem/object-role', code: '13', display: 'Security Resource' },
      },
      {
        what: { identifier: { system: 'urn:inward:model', value: 'llama-3.2-1b' } },
        type: { system: 'http://terminology.hl7.org/CodeSystem/audit-entity-type', code: '2', display: 'System Object' },
      },
      {
        what: { identifier: { system: 'urn:inward:record', value: `${log}-7` } },
        type: { system: 'http://terminology.hl7.org/CodeSystem/audit-entity-type', code: '4', display: 'Other' },
        detail: [
          { type: 'seq', valueString: '7' },
          { type: 'up', valueString: '1000' },
          { type: 'boot', valueString: '11111111-2222-4333-8444-555555555555' },
          { type: 'route', valueString: '/v1/chat/completions' },
          { type: 'region', valueString: 'us-east' },
          { type: 'data', valueString: 'phi' },
          { type: 'priority', valueString: 'interactive' },
        ],
      },
    ],
  });
});

test.each([
  ['stop', '0'],
  ['length', '0'],
  ['mixed', '0'],
  ['cancelled', '4'],
  ['refused', '4'],
  ['failed', '8'],
  ['crashed', '12'],
] as const)('a request that ended by %s has outcome %s', (ending, outcome) => {
  expect(toAuditEvent({ ...place, event: 'outcome', request: intent.request, ending }).outcome).toBe(outcome);
});

test('a change that was recorded later says when it was made, and who made it', () => {
  const at = place.time - 60_000;
  const resource = toAuditEvent({ ...place, event: 'key_revoked', by: 'anna', at, key: '0123456789', from: at });
  expect(resource.period).toEqual({ start: '2026-11-26T14:02:05.042Z', end: '2026-11-26T14:02:05.042Z' });
  expect(resource.agent[0]).toMatchObject({ who: { identifier: { system: 'urn:inward:person', value: 'anna' } }, requestor: true });
  expect(resource.entity[0]?.what).toEqual({ identifier: { system: 'urn:inward:key', value: '0123456789' } });
});

/** Every text in a resource. */
function listTexts(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(listTexts) : [String(value)];
}

test('no field is lost, at most one agent asked, and no patient or query is there', () => {
  fc.assert(
    fc.property(anyRecords, (records) => {
      for (const record of records) {
        const resource: AuditEventResource = toAuditEvent(record, { log });
        const texts = listTexts(resource);
        for (const [, text] of listFields(record)) expect(texts.some((found) => found.includes(text))).toBe(true);
        expect(resource.agent.filter(({ requestor }) => requestor).length).toBeLessThanOrEqual(1);
        expect(JSON.stringify(resource)).not.toMatch(/"query"|Patient/);
      }
    }),
  );
});

test('a line of NDJSON a record, and a Bundle of the same resources', () => {
  const lines = [...exportFhir(oneOfEach, { log })];
  const resources = lines.map((line) => JSON.parse(line));
  expect(lines.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true);
  expect(resources).toHaveLength(oneOfEach.length);
  const bundle = JSON.parse([...exportFhirBundle(oneOfEach, { log })].join(''));
  expect(judgeResource(bundle)).toEqual([]);
  expect(bundle.entry.map(({ resource }: { resource: unknown }) => resource)).toEqual(resources);
  expect(judgeResource(JSON.parse([...exportFhirBundle([])].join('')))).toEqual([]);
});

test('a site may put its own URI in front', () => {
  const base = 'https://hospital.example/inward';
  expect(judgeResource(JSON.parse(JSON.stringify(toAuditEvent(intent, { base }))), base)).toEqual([]);
});

test('the paper has the codes of every event and purpose', () => {
  const rows = readFileSync(join(root, 'docs/audit.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const find = (name: string, form: RegExp): string[] => rows.filter((row) => form.test(row) && (row.split('|')[1] ?? '').includes(`\`${name}\``));
  for (const record of oneOfEach) {
    const { type, subtype } = toAuditEvent(record);
    const codes = [type, ...subtype.slice(0, -1)].map(({ code, display }) => `${code} ${display}`);
    expect(find(record.event, /\| 110\d{3} /).map((row) => row.match(/1101\d\d [A-Z][A-Za-z ]+[a-z]/g))).toEqual([codes]);
  }
  for (const purpose of [...purposes, 'emergency'] as const) {
    const code = toAuditEvent({ ...intent, purpose }).purposeOfEvent?.[0]?.coding[0]?.code;
    expect(find(purpose, /\| [A-Z]{5,8} \|$/).map((row) => row.split('|')[2]?.trim())).toEqual([code]);
  }
});

test('every event has traits', () => expect(Object.keys(eventTraits).sort()).toEqual([...eventNames].sort()));
