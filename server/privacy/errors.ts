/**
 * Owns what this room says no with: `Refusal`, the answer to one request, from one closed table, and `SiteError`, one
 * sentence to the person who sets up the site. Refuses free text in a refusal: its places hold names and numbers that
 * the code or an administrator chose, never anything of the request.
 */

/** Why nothing can be recorded: the disk refuses, is full or does not answer; the witness is behind; the clock was turned back; an event was no record. */
export const stopCauses = ['write', 'space', 'stall', 'witness', 'clock', 'program'] as const;
export type StopCause = (typeof stopCauses)[number];

interface Row {
  readonly status: 401 | 403 | 429 | 503;
  readonly sentence: string;
}

const table = {
  agreement_missing: { status: 403, sentence: 'There is no agreement in force for this tenant; inference needs one (inward agreement show).' },
  agreement_expired: { status: 403, sentence: 'The agreement {agreement} has expired; a new one must be signed and added.' },
  agreement_revoked: { status: 403, sentence: 'The agreement {agreement} has been revoked.' },
  agreement_not_begun: { status: 403, sentence: 'The agreement {agreement} is not in force yet.' },
  audit_unavailable: { status: 503, sentence: 'The audit trail cannot be written ({cause}), so nothing is served until it can be again.' },
  key_missing: { status: 401, sentence: 'This route needs a key: send the header Authorization: Bearer KEY.' },
  key_invalid: { status: 401, sentence: 'The key is not one of this server.' },
  key_expired: { status: 401, sentence: 'The key {key} has expired.' },
  key_revoked: { status: 401, sentence: 'The key {key} has been revoked.' },
  key_spent: { status: 401, sentence: 'The break-glass key {key} has been used up; it must be sealed anew.' },
  token_invalid: { status: 401, sentence: 'The bearer token is not valid here.' },
  manifest_mismatch: { status: 403, sentence: 'This server is not the one that the manifest was signed for, so nothing is served (inward manifest check).' },
  model_failed: { status: 503, sentence: 'The model could not be loaded; the terminal of the server says why.' },
  route_denied: { status: 403, sentence: 'The key {key} may not use this route.' },
  role_denied: { status: 403, sentence: 'This route needs a permission that the roles of {person} do not give.' },
  model_denied: { status: 403, sentence: 'The key {key} may not use this model.' },
  purpose_missing: { status: 403, sentence: 'The key {key} has several purposes: name one in x-inward-purpose.' },
  purpose_denied: { status: 403, sentence: 'That purpose is not one that the key {key} and the agreement {agreement} permit.' },
  network_denied: { status: 403, sentence: 'The key {key} may not be used from this network address.' },
  hours_denied: { status: 403, sentence: 'The key {key} may not be used at this hour.' },
  region_mismatch: { status: 403, sentence: 'This server runs in region {region}, which is not the one that was demanded.' },
  data_class_denied: { status: 403, sentence: 'The key {key} is for {data} data, and the agreement {agreement} is not.' },
  quota_exceeded: { status: 429, sentence: 'The {scope} has used its {limit} tokens per {period}; try again after the time in Retry-After.' },
} as const;

/** Why a request is refused. */
export type RefusalCode = keyof typeof table;
/** The table as data; it also holds the rows to their type. */
export const refusalTable: Readonly<Record<RefusalCode, Row>> = table;

/** What the sentence of a refusal names. */
export interface RefusalFields {
  readonly agreement?: string;
  readonly key?: string;
  readonly person?: string;
  readonly region?: string;
  readonly data?: string;
  readonly scope?: 'key' | 'tenant';
  readonly limit?: number;
  readonly period?: 'minute' | 'day';
  readonly cause?: StopCause;
  /** How long until another try is worth while, in ms. */
  readonly waitMs?: number;
}

/** Why a request is not served. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly status: number;
  readonly fields: RefusalFields;

  constructor(code: RefusalCode, fields: RefusalFields = {}) {
    const values: Readonly<Record<string, unknown>> = { ...fields };
    super(table[code].sentence.replace(/\{(\w+)\}/g, (_, key: string) => String(values[key] ?? '?')));
    this.code = code;
    this.status = table[code].status;
    this.fields = fields;
  }
}

/** What an administrator's file, record or command breaks; the message is one sentence for the terminal: what was expected, what was found, what to do. */
export class SiteError extends Error {
  override readonly name = 'SiteError';
}
