/**
 * Owns an audit trail for tests of the gate: records are kept in a list, in the form in which a log would have them, and are durable
 * when the test says so.
 */
import { type AuditEvent, checkEvent } from '../../../server/privacy/audit/events.ts';
import type { Trail } from '../../../server/privacy/audit/trail.ts';
import { Refusal, type StopCause } from '../../../server/privacy/errors.ts';

export interface TestTrail extends Trail {
  readonly events: readonly AuditEvent[];
  /** From now on records become durable when this is called again with false. */
  hold(isHeld: boolean): void;
}

export function createTestTrail(): TestTrail {
  const events: AuditEvent[] = [];
  const faults = new Set<StopCause>();
  const listeners = new Set<() => void>();
  let waiting: (() => void)[] | undefined;
  const fault = (): StopCause | undefined => faults.values().next().value;
  const record = async (event: AuditEvent): Promise<void> => {
    checkEvent(event);
    events.push(event);
    const cause = fault();
    if (cause !== undefined) throw new Refusal('audit_unavailable', { cause });
    if (waiting !== undefined) await new Promise<void>((resolve) => waiting?.push(resolve));
  };
  return {
    events,
    facts: { kind: 'server', version: '0.0.0', profile: 'ab'.repeat(32) },
    lastProfile: undefined,
    get checkpoint() {
      return { size: events.length, note: '' };
    },
    get fault() {
      return fault();
    },
    record,
    note: (event) => void record(event).catch(() => undefined),
    has: () => false,
    setFault: (cause, isThere) => {
      const before = fault();
      if (isThere) faults.add(cause);
      else faults.delete(cause);
      if ((before === undefined) !== (fault() === undefined)) for (const listener of listeners) listener();
    },
    onState: (listener) => void listeners.add(listener),
    follow: () => undefined,
    hold: (isHeld) => {
      for (const resolve of waiting ?? []) resolve();
      waiting = isHeld ? [] : undefined;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** What a request has used, so many tokens. */
export function use(tokens: number): { readonly promptTokens: number; readonly completionTokens: number; readonly ending: 'stop' } {
  return { promptTokens: 0, completionTokens: tokens, ending: 'stop' };
}
