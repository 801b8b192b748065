/**
 * Owns the audit trail as AuditEvent resources of FHIR R4 (4.0.1): a resource a line, as bulk data has them, or one collection. Refuses
 * to claim a profile of IHE BALP that a resource does not meet whole, and to name a patient: records have none.
 */
import type { AuditRecord, EventName } from '../events.ts';
import { describeAgents } from './fhir/agents.ts';
import { describePurpose, refer, toCoding } from './fhir/codes.ts';
import { describeEntities } from './fhir/entities.ts';
import { findProfile } from './fhir/profiles.ts';
import type { AuditEventResource, Coding } from './fhir/resource.ts';
import { formatTime } from './fields.ts';
import { eventTraits, judgeOutcome } from './traits.ts';

export interface FhirOptions {
  /** Id of the log, 32 hexadecimal digits: `id` and the identifier of the record are made of it. */
  readonly log?: string | undefined;
  /** Code of the site, for `source.site`. */
  readonly site?: string | undefined;
  /** What the URIs of Inward's own code systems and identifiers begin with; default `urn:inward`, which is registered nowhere. */
  readonly base?: string | undefined;
}

const sourceTypes = 'http://terminology.hl7.org/CodeSystem/security-source-type';

/** Newline-delimited JSON (application/fhir+ndjson): one chunk a record. */
export function* exportFhir(records: Iterable<AuditRecord>, options: FhirOptions = {}): Generator<string, void, undefined> {
  for (const record of records) yield `${JSON.stringify(toAuditEvent(record, options))}\n`;
}

/** One Bundle of type `collection`, in chunks. */
export function* exportFhirBundle(records: Iterable<AuditRecord>, options: FhirOptions = {}): Generator<string, void, undefined> {
  yield '{"resourceType":"Bundle","type":"collection"';
  let count = 0;
  // FHIR knows no empty array.
  for (const record of records) yield `${count++ === 0 ? ',"entry":[' : ',\n'}${JSON.stringify({ resource: toAuditEvent(record, options) })}`;
  yield count === 0 ? '}\n' : ']}\n';
}

/** One record. Every field of it stands somewhere in the resource. */
export function toAuditEvent(record: AuditRecord, { log, site, base = 'urn:inward' }: FhirOptions = {}): AuditEventResource {
  const { type, action } = eventTraits[record.event];
  const outcome = judgeOutcome(record);
  const purpose = describePurpose(record, base);
  const reason = findReason(record);
  const profile = findProfile(record);
  return {
    resourceType: 'AuditEvent',
    ...(log === undefined ? {} : { id: `${log}-${record.seq}` }),
    ...(profile === undefined ? {} : { meta: { profile: [profile] } }),
    type: toCoding(type),
    subtype: listSubtypes(record.event, base),
    action,
    // Of the change itself, which may be recorded later.
    ...('at' in record ? { period: { start: formatTime(record.at), end: formatTime(record.at) } } : {}),
    recorded: formatTime(record.time),
    ...(outcome === undefined ? {} : { outcome }),
    ...(reason === undefined ? {} : { outcomeDesc: reason }),
    ...(purpose === undefined ? {} : { purposeOfEvent: [purpose] }),
    agent: describeAgents(record, base),
    source: {
      ...(site === undefined ? {} : { site }),
      observer: { type: 'Device', ...refer('host', record.host, base) },
      type: [{ system: sourceTypes, code: '4', display: 'Application Server' }],
    },
    entity: describeEntities(record, log, base),
  };
}

/** DICOM's where there is one, and always the name of the event in our own code system. */
function listSubtypes(event: EventName, base: string): Coding[] {
  const { subtype } = eventTraits[event];
  return [...(subtype === undefined ? [] : [toCoding(subtype)]), { system: `${base}:audit-event`, code: event }];
}

/** A name of a closed list. */
function findReason(record: AuditRecord): string | undefined {
  if ('refusal' in record && record.refusal !== undefined) return record.refusal;
  if ('error' in record && record.error !== undefined) return record.error;
  return record.event === 'audit_stopped' || record.event === 'gap' ? record.cause : undefined;
}
