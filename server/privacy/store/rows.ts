/**
 * Owns how keys, people, records and the rest lie in rows, and how rows become them again. Every row goes through a schema, on
 * its way in and out: refuses one that does not fit, never leaves it out.
 */
import type { SQLInputValue } from 'node:sqlite';
import { z } from 'zod';
import { canonicalize, hashRecord, readEnvelope, readPublicKey } from '../envelope.ts';
import { SiteError } from '../errors.ts';
import { type AccessKey, accessKeySchema, type Credential, type Person, personSchema, type Tenant, tenantSchema } from '../grants.ts';
import type { Policy, StoredRecord, TrustedKey, Usage } from '../store.ts';
import { forms } from '../words.ts';
import type { Row } from './digest.ts';

/** What is written: a column that is left out is NULL. */
export type Fields = Readonly<Record<string, SQLInputValue | undefined>>;

export const timeSchema: z.ZodType<number> = z.int().min(0).max(253_402_300_799_999);
export const placeSchema: z.ZodType<number> = z.int().min(1).max(1e15);
export const daySchema: z.ZodType<number> = z.int().min(0).max(2_932_896);
const staff = z.string().regex(forms.personId);
const code = z.string().max(40).regex(forms.code);

const policySchema: z.ZodType<Policy> = z.strictObject({
  site: code,
  region: z.string().regex(forms.region),
  signatures: z.union([z.literal(1), z.literal(2)]),
});

interface Meta {
  readonly generation: number;
  readonly clock: number;
  readonly nextTenant: number;
  readonly nextChange: number;
  readonly siteId?: string | undefined;
  readonly digest: string;
}

const metaSchema: z.ZodType<Meta> = z.strictObject({
  generation: z.int().min(0),
  clock: timeSchema,
  nextTenant: z.int().min(1),
  nextChange: placeSchema,
  siteId: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  digest: z.string().regex(forms.sha256),
});

const trustedKeySchema: z.ZodType<TrustedKey> = z.strictObject({
  id: z.string().regex(forms.publicKeyId),
  pem: z.string().max(200),
  addedAt: timeSchema,
  addedBy: staff,
});

const usageSchema: z.ZodType<Usage> = z.discriminatedUnion('scope', [
  z.strictObject({ scope: z.literal('key'), id: z.string().regex(forms.keyId), tokens: z.int().min(0).max(1e15) }),
  z.strictObject({ scope: z.literal('tenant'), id: code, tokens: z.int().min(0).max(1e15) }),
]);

const recordSchema = z.strictObject({
  envelope: z.string(),
  hash: z.string(),
  type: z.string(),
  id: z
    .string()
    .max(40)
    .regex(/^[a-z][a-z0-9-]*$/),
  addedAt: timeSchema,
  addedBy: staff,
  revokedAt: timeSchema.optional(),
  revokedBy: staff.optional(),
});

export const revocationSchema: z.ZodType<{ readonly by: string; readonly at: number }> = z.strictObject({ by: staff, at: timeSchema });

/** The value, if it fits. Throws SiteError, with the name of the field that does not; `what` begins the sentence. */
export function judge<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new SiteError(`${what} cannot be kept: the field "${issue?.path.join('.') || 'id'}" is missing, unknown or of another form.`);
}

export function toPolicyFields(policy: Policy): Fields {
  return { one: 1, ...judge(policySchema, policy, 'The policy') };
}

export function toTrustedKeyFields(key: TrustedKey): Fields {
  const { pem, ...rest } = judge(trustedKeySchema, key, 'The trusted key');
  const known = readPublicKey(pem, `The trusted key ${rest.id}`);
  if (known.id !== rest.id) throw new SiteError(`The trusted key ${rest.id} cannot be kept: its id is not the one of the key, which is ${known.id}.`);
  return { ...rest, pem: known.pem };
}

export function toRecordFields({ envelope, ...rest }: StoredRecord): Fields {
  const { type, record } = envelope;
  const text = canonicalize(envelope);
  const fields = { ...rest, envelope: text, type, id: record['id'], hash: hashRecord(envelope) };
  readEnvelope(Buffer.from(text), 'The record');
  return checkRevocation(judge(recordSchema, fields, 'The record'));
}

export function toTenantFields(tenant: Tenant): Fields {
  return { ...judge(tenantSchema, tenant, 'The tenant') };
}

export function toKeyFields(key: AccessKey): Fields {
  const { credential, scopes, isSealed, ...rest } = judge(accessKeySchema, key, 'The key');
  return checkRevocation({ ...rest, ...toCredentialFields(credential), scopes: canonicalize(scopes), isSealed: isSealed ? 1 : 0 });
}

export function toPersonFields(person: Person): Fields {
  const { credential, roles, ...rest } = judge(personSchema, person, 'The person');
  return checkRevocation({ ...rest, ...toCredentialFields(credential), roles: canonicalize(roles) });
}

/** All columns of a credential, so that one takes the place of another. */
export function toCredentialFields({ type, ...parts }: Credential): Fields {
  return { credential: type, salt: undefined, hash: undefined, issuer: undefined, subject: undefined, fingerprint: undefined, ...parts };
}

export function toUsage(used: Usage): Usage {
  return judge(usageSchema, used, 'The usage');
}

export function fromMetaRow(row: Row): Meta {
  const { one: _, ...meta } = strip(row);
  return judge(metaSchema, meta, 'The state');
}

export function fromPolicyRow(row: Row): Policy {
  const { one: _, ...policy } = strip(row);
  return judge(policySchema, policy, 'The policy');
}

export function fromTrustedKeyRow(row: Row): TrustedKey {
  const key = judge(trustedKeySchema, strip(row), 'The trusted key');
  toTrustedKeyFields(key);
  return key;
}

export function fromRecordRow(row: Row): StoredRecord {
  const { place: _, ...fields } = strip(row);
  const { envelope: text, type, id, hash, ...rest } = judge(recordSchema, fields, 'The record');
  const envelope = readEnvelope(Buffer.from(text), 'The record');
  if (envelope.type !== type || envelope.record['id'] !== id || hashRecord(envelope) !== hash) throw new SiteError('The record is not the one of its row.');
  return { ...rest, envelope };
}

export function fromTenantRow(row: Row): Tenant {
  return judge(tenantSchema, strip(row), 'The tenant');
}

export function fromKeyRow(row: Row): AccessKey {
  const { scopes, isSealed, ...rest } = strip(row);
  return judge(accessKeySchema, { ...nestCredential(rest), scopes: JSON.parse(String(scopes)), isSealed: isSealed === 1 }, 'The key');
}

export function fromPersonRow(row: Row): Person {
  const { roles, ...rest } = strip(row);
  return judge(personSchema, { ...nestCredential(rest), roles: JSON.parse(String(roles)) }, 'The person');
}

export function fromUsageRow(row: Row): Usage {
  const { day: _, ...used } = strip(row);
  return toUsage(used as unknown as Usage);
}

/** NULL is a field that is not there. */
function strip(row: Row): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}

function nestCredential({ credential, ...row }: Record<string, unknown>): Record<string, unknown> {
  const parts = ['salt', 'hash', 'issuer', 'subject', 'fingerprint'].filter((column) => column in row);
  const rest = Object.fromEntries(Object.entries(row).filter(([column]) => !parts.includes(column)));
  return { ...rest, credential: { type: credential, ...Object.fromEntries(parts.map((column) => [column, row[column]])) } };
}

function checkRevocation<T extends { readonly revokedAt?: number | undefined; readonly revokedBy?: string | undefined }>(fields: T): T {
  if ((fields.revokedAt === undefined) === (fields.revokedBy === undefined)) return fields;
  throw new SiteError('A revocation cannot be kept: expected both when it is and who made it.');
}
