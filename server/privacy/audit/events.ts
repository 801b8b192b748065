/**
 * Owns the closed list of what the audit trail records: for each event the fields that it has, and the form that makes a record
 * the same bytes everywhere (RFC 8785). Refuses a field that an event does not have, and a value that does not fit. Counts of
 * tokens and times are rounded up to powers of two: exact ones would tell documents apart. No hash of a prompt is there, since
 * short prompts are found in a dictionary.
 */
import { type ErrorCode, errorTable } from '../../../runtime/index.ts';
import { type AgreementKind, agreementKinds } from '../agreement.ts';
import { type RefusalCode, refusalTable, type StopCause, stopCauses } from '../errors.ts';
import {
  type CredentialType,
  codeLimit,
  credentialTypes,
  type DataClass,
  dataClasses,
  forms,
  type PriorityClass,
  type Purpose,
  priorityClasses,
  purposes,
  type RoutePattern,
  roles,
  routePatterns,
} from '../words.ts';
import { type Found, foundKinds } from './found.ts';
import { address, choice, count, flag, form, type Kind, type KindsOf, optional } from './kinds.ts';

/** Times a power of two is doubled at most: 2^40 tokens or milliseconds are beyond everything. */
const largestBucket = 2 ** 40;

/** How a request ended. `crashed`: the process ended before it did. */
export const endings = ['stop', 'length', 'mixed', 'cancelled', 'refused', 'failed', 'crashed'] as const;
export type EndingName = (typeof endings)[number];
/** Forms in which records leave the site. */
export const exportFormats = ['fhir', 'syslog', 'csv', 'json', 'proof', 'report', 'incident'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** Who sent a request, where from, and to which route. */
interface Asked {
  readonly route: RoutePattern | 'embedded';
  readonly address?: string | undefined;
  /** SHA-256 of the client certificate. */
  readonly certificate?: string | undefined;
  /** A UUID that the client chose. */
  readonly correlation?: string | undefined;
  /** How the holder was known; older records do not say it. */
  readonly known?: CredentialType | undefined;
  /** By which the identity provider knows its token; nothing else of that is recorded. */
  readonly token?: string | undefined;
}

interface RefusedFields extends Asked {
  readonly refusal: RefusalCode;
  readonly key?: string | undefined;
  readonly person?: string | undefined;
}

/** Who changed something, and when; the record itself may be written later. */
interface Administered {
  readonly by: string;
  readonly at: number;
  /** Number of the change in the store. */
  readonly change?: number | undefined;
}

interface IntentFields extends Asked {
  /** Of the request, chosen by the server: what intent and outcome have in common. */
  readonly request: string;
  readonly tenant: string;
  readonly key: string;
  readonly purpose: Purpose | 'emergency';
  readonly agreement: string;
  readonly region: string;
  readonly data: DataClass;
  /** Records of treatment of substance use (42 CFR Part 2). */
  readonly tag?: 'part2' | undefined;
  readonly priority: PriorityClass;
  /** A break-glass key. */
  readonly sealed?: boolean | undefined;
  readonly model?: string | undefined;
  readonly manifest?: string | undefined;
}

interface OutcomeFields extends Found {
  readonly request: string;
  readonly ending: EndingName;
  readonly status?: number | undefined;
  readonly refusal?: RefusalCode | undefined;
  readonly error?: ErrorCode | undefined;
  readonly promptTokens?: number | undefined;
  readonly completionTokens?: number | undefined;
  /** A part of the prompt was in the tenant's cache. */
  readonly cached?: boolean | undefined;
  readonly duration?: number | undefined;
}

type ProcessKind = 'server' | 'embedded' | 'command';

type NoFields = Readonly<Record<never, never>>;

/** Each event with the fields that it has besides `common`; docs/audit.md says what they mean. */
interface Events {
  // of the log itself
  readonly log_created: { readonly log: string; readonly key: string };
  readonly log_rotated: { readonly segment: number; readonly key: string; readonly open: number };
  readonly log_purged: { readonly first: number; readonly last: number; readonly records: number; readonly root: string; readonly by: string };
  /** What a crash has cut off, a `head` that was lost, a clock that was put back: the times of records go on from there. */
  readonly gap: { readonly cause: 'torn' | 'head' | 'clock'; readonly bytes: number; readonly records: number };
  readonly audit_stopped: { readonly cause: StopCause };
  readonly audit_resumed: { readonly cause: StopCause; readonly duration: number };
  // of requests
  readonly intent: IntentFields;
  readonly outcome: OutcomeFields;
  readonly auth_failed: RefusedFields;
  readonly denied: RefusedFields & { readonly agreement?: string | undefined };
  readonly break_glass: { readonly key: string; readonly address?: string | undefined };
  // of the process
  readonly started: { readonly kind: ProcessKind; readonly mode: 'phi' | 'evaluation' | 'closed'; readonly version: string; readonly profile: string };
  readonly stopped: { readonly kind: ProcessKind };
  readonly config_changed: { readonly profile: string; readonly before: string };
  readonly gate_opened: { readonly agreement?: string | undefined };
  readonly gate_closed: NoFields;
  /** By time, or because the one that supersedes it has begun. */
  readonly agreement_ended: { readonly agreement: string; readonly state: 'expired' | 'superseded' };
  readonly agreement_ending: { readonly agreement: string; readonly days: number };
  readonly deployment_changed: { readonly manifest?: string | undefined };
  readonly tenant_closed: { readonly tenant: string };
  readonly store_unreadable: NoFields;
  readonly store_unwritable: NoFields;
  readonly tls_reloaded: NoFields;
  readonly token_keys_reloaded: NoFields;
  readonly model_loaded: { readonly model: string; readonly manifest?: string | undefined };
  readonly model_unloaded: { readonly zeroed: boolean };
  readonly model_load_failed: { readonly error?: ErrorCode | undefined };
  readonly cache_flushed: { readonly tenant?: string | undefined };
  readonly engine_lost: { readonly error: ErrorCode; readonly count: number };
  readonly engine_restarted: { readonly error: ErrorCode; readonly count: number };
  readonly engine_failed: { readonly error: ErrorCode };
  // of administration
  readonly policy_set: Administered & { readonly site: string; readonly region: string; readonly signatures: number };
  readonly trusted_key_added: Administered & { readonly publicKey: string };
  readonly agreement_added: Administered & { readonly agreement: string; readonly kind: AgreementKind; readonly record: string };
  readonly agreement_revoked: Administered & { readonly agreement: string };
  readonly manifest_added: Administered & { readonly manifest: string; readonly record: string };
  readonly tenant_added: Administered & { readonly tenant: string };
  readonly tenant_quota_set: Administered & { readonly tenant: string };
  readonly key_created: Administered & {
    readonly key: string;
    readonly tenant: string;
    readonly data: DataClass;
    readonly sealed?: boolean | undefined;
    readonly replaces?: string | undefined;
  };
  /** `from`: when it is taken no more; after `at` where it is being replaced. */
  readonly key_revoked: Administered & { readonly key: string; readonly from: number };
  /** The first use of a break-glass key. */
  readonly key_opened: Omit<Administered, 'by'> & { readonly key: string };
  readonly person_added: Administered & { readonly person: string; readonly roles: string };
  readonly person_renewed: Administered & { readonly person: string };
  readonly person_revoked: Administered & { readonly person: string };
  readonly clock_reset: Administered;
  readonly store_restored: Administered;
  readonly audit_verified: Administered & { readonly log: string; readonly records: number; readonly intact: boolean };
  readonly audit_exported: Administered & { readonly log: string; readonly format: ExportFormat; readonly records: number };
}

export type EventName = keyof Events;
/** An event with its fields, before it gets its place in the log. */
export type AuditEvent = { [Name in EventName]: { readonly event: Name } & Events[Name] }[EventName];
/** The events of changes that commands make. */
export type AdministrationEvent = Extract<AuditEvent, { readonly at: number }>;
/** Of one event. */
export type EventOf<Name extends EventName> = Extract<AuditEvent, { readonly event: Name }>;

/** Where and when: what every record has besides the fields of its event. */
export interface Place {
  readonly seq: number;
  /** Milliseconds of the epoch, UTC. */
  readonly time: number;
  /** Milliseconds of the monotonic clock: goes on where the time is set back. */
  readonly up: number;
  /** Of the machine's start. */
  readonly boot: string;
  /** Beginning of the hash that the manifest has of the machine. */
  readonly host: string;
}

export type AuditRecord = Place & AuditEvent;

const uuid = form(forms.uuid, 36, 'a UUID in small letters');
const sha256 = form(forms.sha256, 64, 'a SHA-256 in hexadecimal');
const hash = form(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, 44, '32 bytes in base64');
const hex16 = form(/^[0-9a-f]{16}$/, 16, '8 bytes in hexadecimal');
const hex32 = form(/^[0-9a-f]{32}$/, 32, '16 bytes in hexadecimal');
const code = form(forms.code, codeLimit, 'the code of a department, a site or a label');
const region = form(forms.region, 60, 'the code of a region');
const keyId = form(forms.keyId, 10, 'the id of a key');
const personId = form(forms.personId, 48, 'the id of a person');
const publicKeyId = form(forms.publicKeyId, 19, 'the id of a trusted key');
const agreementId = form(forms.agreementId, 36, 'the id of an agreement');
const manifestId = form(forms.manifestId, 35, 'the id of a manifest');
const tokenId = form(forms.tokenId, 64, 'the id of a token of the identity provider');
const model = form(forms.model, 120, 'the name of a model, as the administrator calls it');
const version = form(/^\d{1,4}\.\d{1,4}\.\d{1,4}$/, 14, 'a version');
const roleList = form(new RegExp(`^(?:${roles.join('|')})(?:,(?:${roles.join('|')})){0,4}$`), 60, 'roles with commas between them');
const time = count(253_402_300_799_999, 'milliseconds since 1970, UTC');
const bucket = count(largestBucket, '0 or a power of two: the real number is at most that, and more than half of it');
const number = count(2 ** 53 - 1, 'a number');

const codesOf = <T extends string>(table: Readonly<Record<T, unknown>>): Kind<T> => choice(Object.keys(table) as T[]);
/** Why requests are refused. */
const refusal = codesOf(refusalTable);
const errorCode = codesOf(errorTable);

const asked = {
  route: choice([...routePatterns, '(unknown)', 'embedded']),
  address: optional(address),
  certificate: optional(sha256),
  correlation: optional(uuid),
  known: optional(choice(credentialTypes)),
  token: optional(tokenId),
};
const administered = { by: personId, at: time, change: optional(number) };

const table: { readonly [Name in EventName]: KindsOf<Events[Name]> } = {
  // of the log itself
  log_created: { log: hex32, key: hash },
  log_rotated: { segment: number, key: hash, open: number },
  log_purged: { first: number, last: number, records: number, root: hash, by: personId },
  gap: { cause: choice(['torn', 'head', 'clock']), bytes: number, records: number },
  audit_stopped: { cause: choice(stopCauses) },
  audit_resumed: { cause: choice(stopCauses), duration: bucket },
  // of requests
  intent: {
    request: uuid,
    ...asked,
    tenant: code,
    key: keyId,
    purpose: choice([...purposes, 'emergency']),
    agreement: agreementId,
    region,
    data: choice(dataClasses),
    tag: optional(choice(['part2'])),
    priority: choice(priorityClasses),
    sealed: optional(flag),
    model: optional(model),
    manifest: optional(sha256),
  },
  outcome: {
    request: uuid,
    ending: choice(endings),
    status: optional(count(599, 'the status of HTTP')),
    refusal: optional(refusal),
    error: optional(errorCode),
    promptTokens: optional(bucket),
    completionTokens: optional(bucket),
    cached: optional(flag),
    ...foundKinds(bucket),
    duration: optional(bucket),
  },
  auth_failed: { ...asked, refusal, key: optional(keyId), person: optional(personId) },
  denied: { ...asked, refusal, key: optional(keyId), person: optional(personId), agreement: optional(agreementId) },
  break_glass: { key: keyId, address: optional(address) },
  // of the process
  started: { kind: choice(['server', 'embedded', 'command']), mode: choice(['phi', 'evaluation', 'closed']), version, profile: sha256 },
  stopped: { kind: choice(['server', 'embedded', 'command']) },
  config_changed: { profile: sha256, before: sha256 },
  gate_opened: { agreement: optional(agreementId) },
  gate_closed: {},
  agreement_ended: { agreement: agreementId, state: choice(['expired', 'superseded']) },
  agreement_ending: { agreement: agreementId, days: number },
  deployment_changed: { manifest: optional(sha256) },
  tenant_closed: { tenant: code },
  store_unreadable: {},
  store_unwritable: {},
  tls_reloaded: {},
  token_keys_reloaded: {},
  model_loaded: { model, manifest: optional(sha256) },
  model_unloaded: { zeroed: flag },
  model_load_failed: { error: optional(errorCode) },
  cache_flushed: { tenant: optional(code) },
  engine_lost: { error: errorCode, count: number },
  engine_restarted: { error: errorCode, count: number },
  engine_failed: { error: errorCode },
  // of administration
  policy_set: { ...administered, site: code, region, signatures: count(2, '1 or 2') },
  trusted_key_added: { ...administered, publicKey: publicKeyId },
  agreement_added: { ...administered, agreement: agreementId, kind: choice(agreementKinds), record: sha256 },
  agreement_revoked: { ...administered, agreement: agreementId },
  manifest_added: { ...administered, manifest: manifestId, record: sha256 },
  tenant_added: { ...administered, tenant: code },
  tenant_quota_set: { ...administered, tenant: code },
  key_created: { ...administered, key: keyId, tenant: code, data: choice(dataClasses), sealed: optional(flag), replaces: optional(keyId) },
  key_revoked: { ...administered, key: keyId, from: time },
  key_opened: { at: time, change: optional(number), key: keyId },
  person_added: { ...administered, person: personId, roles: roleList },
  person_renewed: { ...administered, person: personId },
  person_revoked: { ...administered, person: personId },
  clock_reset: { ...administered },
  store_restored: { ...administered },
  audit_verified: { ...administered, log: hex32, records: number, intact: flag },
  audit_exported: { ...administered, log: hex32, format: choice(exportFormats), records: number },
};

/** The table as data, for documents, tests and exports. */
export const eventTable: Readonly<Record<EventName, Readonly<Record<string, Kind<unknown>>>>> = table;
export const commonFields: KindsOf<Place> = { seq: number, time, up: number, boot: uuid, host: hex16 };

/** The names of fields in the order of RFC 8785, once for each event. */
const fieldNames = new Map(
  Object.entries(eventTable).map(([event, fields]) => [event, [...Object.keys(commonFields), 'event', ...Object.keys(fields)].sort()]),
);

/** A value that an event has no field for, or that does not fit: always a fault of the program. Its message quotes no value. */
export class EventError extends Error {
  override readonly name = 'EventError';
}

/** The record as text in its canonical form. Throws EventError. */
export function encodeRecord(place: Place, event: AuditEvent): string {
  checkEvent(event);
  const values = { ...event, ...place } as Readonly<Record<string, unknown>>;
  let text = '{';
  for (const name of fieldNames.get(event.event) ?? []) {
    const value = values[name];
    if (value === undefined) continue;
    // Texts are ASCII without quotes or backslashes by their kinds.
    text += `${text.length > 1 ? ',' : ''}"${name}":${typeof value === 'string' ? `"${value}"` : String(value)}`;
  }
  return `${text}}`;
}

/** Throws EventError unless it is one of the list, with its fields and no other. */
export function checkEvent(event: AuditEvent): void {
  const fields: Readonly<Record<string, Kind<unknown>>> | undefined = Object.hasOwn(table, event.event) ? table[event.event] : undefined;
  if (fields === undefined) throw new EventError('The audit trail has no such event.');
  const values = event as unknown as Readonly<Record<string, unknown>>;
  for (const [name, kind] of Object.entries(fields)) {
    const value = values[name];
    if (value === undefined ? !kind.isOptional : !kind.fits(value)) throw new EventError(`The field ${name} of the event ${event.event} must be ${kind.what}.`);
  }
  for (const name of Object.keys(values)) {
    if (name !== 'event' && !Object.hasOwn(fields, name)) throw new EventError(`The event ${event.event} has a field that it does not know.`);
  }
}

/** The record that a text in canonical form holds. Throws EventError. */
export function decodeRecord(text: string): AuditRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new EventError('A record is no JSON.');
  }
  if (typeof value !== 'object' || value === null) throw new EventError('A record is no object.');
  const { seq, time: at, up, boot, host, ...event } = value as AuditRecord;
  const place = { seq, time: at, up, boot, host };
  for (const [name, kind] of Object.entries(commonFields))
    if (!kind.fits(place[name as keyof Place])) throw new EventError(`The field ${name} of a record must be ${kind.what}.`);
  if (encodeRecord(place, event as AuditEvent) !== text) throw new EventError('A record is not in its canonical form.');
  return value as AuditRecord;
}

/** The smallest power of two that is not below a number, 0 for none. Larger ones than 2^40 count as that. */
export function toBucket(value: number): number {
  return value < 1 ? 0 : Math.min(largestBucket, 2 ** Math.ceil(Math.log2(value)));
}
