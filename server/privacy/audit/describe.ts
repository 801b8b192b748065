/**
 * Owns how a request becomes records: what of caller, key and agreement goes into them, and what of an answer. Refuses everything
 * that a client could write into a header as it likes; a correlation id is there if it is a UUID.
 */
import { isIP } from 'node:net';
import type { Attempt, Caller, Terms } from '../admission.ts';
import { type Refusal, refusalTable } from '../errors.ts';
import type { Use } from '../gate.ts';
import type { AccessKey } from '../grants.ts';
import { normalizeAddress } from '../peer.ts';
import type { View } from '../view.ts';
import { forms } from '../words.ts';
import type { Told } from './course.ts';
import { type AuditEvent, type EventOf, toBucket } from './events.ts';
import { describeFound } from './found.ts';

const unauthorized = 401;

/** Whether a correlation id is one that a record has room for; capital letters count as small ones. */
export function isCorrelation(text: string): boolean {
  return forms.uuid.test(text.toLowerCase());
}

export function describeIntent(
  request: string,
  key: AccessKey,
  { agreement, tenant, purpose }: Terms,
  { caller, proof }: Attempt,
  view: View,
): EventOf<'intent'> {
  const { model } = caller;
  return {
    event: 'intent',
    request,
    ...describeCaller(caller),
    ...proof,
    tenant: tenant.code,
    key: key.id,
    purpose,
    agreement: agreement.agreement.id,
    region: view.region,
    data: key.data,
    priority: key.scopes.priority,
    ...(agreement.agreement.part2 ? { tag: 'part2' } : {}),
    ...(key.isSealed ? { sealed: true } : {}),
    ...(model === undefined ? {} : { model: nameModel(model) }),
    ...(view.manifest === undefined ? {} : { manifest: view.manifest.hash }),
  };
}

/** A name of another form is the file's own, which records have no room for. */
export function nameModel(name: string): string {
  return forms.model.test(name) ? name : 'unnamed';
}

/** Without `use` it is not known that anything was computed. `duration` in ms. */
export function describeOutcome(request: string, use: Use | undefined, duration: number, { status, refusal }: Told): EventOf<'outcome'> {
  return {
    event: 'outcome',
    request,
    // Nobody was told anything: he had left.
    ending: use?.ending ?? (status === undefined ? 'cancelled' : 'refused'),
    status,
    duration: toBucket(duration),
    refusal,
    ...(use && {
      refusal: use.refusal ?? refusal,
      error: use.error,
      promptTokens: toBucket(use.promptTokens),
      completionTokens: toBucket(use.completionTokens),
      cached: (use.cachedTokens ?? 0) > 0,
      ...describeFound(use.found, toBucket),
    }),
  };
}

export function describeRefusal({ code, fields }: Refusal, { caller, proof }: Attempt): AuditEvent {
  const { key, person, agreement } = fields;
  // The end of a person's time names the person in both (admission.ts).
  const refused = { ...describeCaller(caller), ...proof, refusal: code, key: person === undefined ? key : undefined, person };
  return refusalTable[code].status === unauthorized ? { event: 'auth_failed', ...refused } : { event: 'denied', ...refused, agreement };
}

/** Each use of such a key, also one that is only a try. */
export function describeBreakGlass(key: string, caller: Caller): EventOf<'break_glass'> {
  const { address } = describeCaller(caller);
  return { event: 'break_glass', key, ...(address === undefined ? {} : { address }) };
}

function describeCaller({
  route = 'embedded',
  address,
  fingerprint,
  correlation,
}: Caller): Pick<EventOf<'intent'>, 'route' | 'address' | 'certificate' | 'correlation'> {
  const plain = normalizeAddress(address);
  const id = correlation?.toLowerCase();
  return {
    route,
    ...(isIP(plain) === 0 ? {} : { address: plain }),
    ...(fingerprint === undefined ? {} : { certificate: fingerprint }),
    ...(id !== undefined && forms.uuid.test(id) ? { correlation: id } : {}),
  };
}
