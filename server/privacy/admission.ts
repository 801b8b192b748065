/**
 * Owns the rules of one request: who asks, whether he may, under which agreement. Pure over a view of the store and a time.
 * Refuses with the first rule that is broken; what no rule permits is refused.
 */
import type { Agreement } from './agreement.ts';
import { Refusal, type RefusalCode } from './errors.ts';
import type { AccessKey, Person, Tenant } from './grants.ts';
import { isSecretOf, parseSecret, type SecretKind } from './keys.ts';
import { isExpired, isGone, may } from './people.ts';
import { judgeKey, type KeyState } from './states.ts';
import { type AgreementState, stateOf, type Term } from './term.ts';
import type { View } from './view.ts';
import { type CredentialType, type Permission, type Purpose, purposes, type RoutePattern, type RouteScope } from './words.ts';

/** What a request says about who sends it; values of headers as they came. */
export interface Caller {
  readonly authorization: string | undefined;
  /** Of the socket; never from a header, which anybody may write. */
  readonly address: string;
  /** SHA-256 of the verified client certificate. */
  readonly fingerprint?: string | undefined;
  /** x-inward-purpose */
  readonly purpose?: string | undefined;
  /** x-inward-region */
  readonly region?: string | undefined;
  /** Where it goes; `embedded` without a server. */
  readonly route?: RoutePattern | 'embedded';
  /** UUID that the server gave it, by which its records are found. */
  readonly request?: string | undefined;
  /** x-inward-correlation: the client's own; only a UUID becomes part of a record. */
  readonly correlation?: string | undefined;
  /** Name of the model that is loaded now. */
  readonly model?: string | undefined;
}

/** How the holder of a request was known. */
export interface Proof {
  readonly known: CredentialType;
  /** The id of the identity provider's token, if it has one. */
  readonly token?: string | undefined;
}

/** A request at the gate; `proof` is there once its holder has been found. */
export interface Attempt {
  readonly caller: Caller;
  proof?: Proof;
}

/** Who may use a route: keys with a scope, people with a permission, or both. */
export interface RouteRule {
  /** Of several, any. */
  readonly scope?: RouteScope | readonly RouteScope[];
  readonly permission?: Permission;
  /** Any holder may use it: what it answers tells nothing. */
  readonly isAnyone?: boolean;
  /** Reaches the model: an agreement must be in force. */
  readonly isInference: boolean;
  /** Computes nothing all the same, so that no intent is recorded. */
  readonly isDry?: boolean;
}

export type Holder = { readonly type: 'key'; readonly key: AccessKey } | { readonly type: 'person'; readonly person: Person };

/** How long answers that run when an agreement expires may go on, in ms. */
export const expiryGraceMs: number = 15 * 60 * 1000;

/** The text behind `Bearer`, undefined without such a header. */
export function readBearer(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : /^Bearer ([\x21-\x7e]{1,8192})$/i.exec(authorization)?.[1];
}

/** Who holds this secret. Throws Refusal. The time it takes does not tell whether the id exists. */
export function findBySecret(view: View, text: string): Holder {
  const presented = parseSecret(text);
  if (presented === undefined) throw new Refusal('key_invalid');
  const key = presented.kind === 'person' ? undefined : view.keys.get(presented.id);
  if (isSecretOf(presented, key?.credential) && key !== undefined && kindOf(key) === presented.kind) return { type: 'key', key };
  // A person's secret does not name him. All are tried, so that the time does not tell who it is.
  const [person] = presented.kind === 'person' ? [...view.people.values()].filter(({ credential }) => isSecretOf(presented, credential)) : [];
  if (person === undefined) throw new Refusal('key_invalid');
  return { type: 'person', person };
}

/** Throws Refusal when a holder's time is over. */
export function checkTime(holder: Holder, now: number): void {
  const code = holder.type === 'key' ? keyRefusals[judgeKey(holder.key, now)] : judgePerson(holder.person, now);
  if (code === undefined) return;
  // The sentence says `key` of both.
  throw new Refusal(code, holder.type === 'key' ? { key: holder.key.id } : { key: holder.person.id, person: holder.person.id });
}

const keyRefusals: Partial<Record<KeyState, RefusalCode>> = { revoked: 'key_revoked', expired: 'key_expired', spent: 'key_spent' };

function judgePerson(person: Person, now: number): RefusalCode | undefined {
  if (isGone(person)) return 'key_revoked';
  return isExpired(person, now) ? 'key_expired' : undefined;
}

/** Throws Refusal when this holder may not use a route from there, now. */
export function checkRoute(view: View, holder: Holder, rule: RouteRule, caller: Caller, now: number): void {
  if (caller.region !== undefined && caller.region !== view.region) throw new Refusal('region_mismatch', { region: view.region });
  if (rule.isAnyone) return;
  if (holder.type === 'person') {
    const { person } = holder;
    if (rule.permission === undefined || !may(person, rule.permission)) throw new Refusal('role_denied', { person: person.id });
    return;
  }
  const { key } = holder;
  const scopes = [rule.scope ?? []].flat();
  if (!scopes.some((scope) => key.scopes.routes.includes(scope))) throw new Refusal('route_denied', { key: key.id });
  if (key.scopes.region !== undefined && key.scopes.region !== view.region) throw new Refusal('region_mismatch', { region: view.region });
  if (key.isSealed) return;
  if (!view.isFromNetwork(key, caller.address)) throw new Refusal('network_denied', { key: key.id });
  if (!view.isAtHour(key, now)) throw new Refusal('hours_denied', { key: key.id });
}

/** What a key is admitted under. */
export interface Terms {
  readonly agreement: Term;
  readonly tenant: Tenant;
  readonly purpose: Purpose | 'emergency';
}

/** Throws Refusal unless an agreement is in force for what this key wants. `isLocal`: the server can be reached from this machine only. */
export function checkAgreement(view: View, key: AccessKey, caller: Caller, now: number, isLocal: boolean): Terms {
  const tenant = view.tenants.get(key.tenant);
  const agreement = demandAgreement(view, now, isLocal, key.tenant);
  // A key outlives its tenant only in a store that was written by hand.
  if (tenant === undefined) throw new Refusal('agreement_missing');
  const { id, kind } = agreement.agreement;
  if ((kind === 'synthetic') !== (key.data === 'synthetic')) throw new Refusal('data_class_denied', { key: key.id, data: key.data, agreement: id });
  return { agreement, tenant, purpose: choosePurpose(key, agreement, caller.purpose) };
}

/** The agreement in force for a tenant; without one, for any. Undefined: none is. */
export function findAgreement(view: View, now: number, isLocal: boolean, tenant?: string): Term | undefined {
  return listAgreements(view, isLocal, tenant).find((term) => stateIn(term, now) === 'in-force');
}

/** The same; throws Refusal with the reason that comes nearest. */
export function demandAgreement(view: View, now: number, isLocal: boolean, tenant?: string): Term {
  const found = findAgreement(view, now, isLocal, tenant);
  if (found !== undefined) return found;
  const last = listAgreements(view, isLocal, tenant).at(-1);
  const state = last && stateIn(last, now);
  if (last === undefined || state === undefined || state === 'in-force') throw new Refusal('agreement_missing');
  throw new Refusal(stateRefusals[state], { agreement: last.agreement.id });
}

/** Those that would hold here, were it their time. */
function listAgreements(view: View, isLocal: boolean, tenant: string | undefined): Term[] {
  return view.agreements.filter(({ agreement }) => {
    if (tenant !== undefined && agreement.tenants.length > 0 && !agreement.tenants.includes(tenant)) return false;
    if (agreement.kind === 'synthetic' ? !isLocal : !isForHere(view, agreement)) return false;
    return agreement.regions.includes(view.region);
  });
}

function stateIn({ agreement, stored, end }: Term, now: number): AgreementState {
  return stateOf(agreement, stored, now, end);
}

const stateRefusals = {
  'not-begun': 'agreement_not_begun',
  superseded: 'agreement_expired',
  expired: 'agreement_expired',
  revoked: 'agreement_revoked',
} as const;

/** A manifest names one agreement; others hold here if they name the host. */
function isForHere({ manifest }: View, agreement: Agreement): boolean {
  if (manifest === undefined) return false;
  const { agreement: named, host } = manifest.manifest;
  return agreement.hosts.length === 0 ? named === agreement.id || agreement.supersedes === named : agreement.hosts.includes(host);
}

function choosePurpose(key: AccessKey, { agreement }: Term, asked: string | undefined): Purpose | 'emergency' {
  const fields = { key: key.id, agreement: agreement.id };
  const permitted = key.scopes.purposes.filter((purpose) => agreement.purposes.includes(purpose));
  if (asked === undefined) {
    if (key.isSealed) return 'emergency';
    const [only, ...others] = key.scopes.purposes;
    if (only === undefined || others.length > 0) throw new Refusal('purpose_missing', fields);
    if (permitted.length === 0) throw new Refusal('purpose_denied', fields);
    return only;
  }
  const wanted = purposes.find((purpose) => purpose === asked);
  if (wanted === undefined || !(key.isSealed ? agreement.purposes : permitted).includes(wanted)) throw new Refusal('purpose_denied', fields);
  return wanted;
}

function kindOf(key: AccessKey): SecretKind {
  return key.isSealed ? 'sealed' : key.data;
}
