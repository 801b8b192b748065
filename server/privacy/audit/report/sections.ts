/**
 * Owns which events a review lists one by one, and under which heading. Refuses none: what is not listed is counted.
 */
import { type AuditRecord, commonFields, type EventName } from '../events.ts';
import { formatTime, listFields } from '../export/fields.ts';

/** One record of a list: its fields besides place and event, as texts. */
export interface Entry {
  readonly seq: number;
  readonly time: string;
  readonly event: EventName;
  readonly fields: Readonly<Record<string, string>>;
}

export type SectionName = 'breakGlass' | 'changes' | 'agreements' | 'process' | 'trail';

/** undefined: only counted. */
const sections: Readonly<Record<EventName, SectionName | undefined>> = {
  ...{ log_created: 'trail', log_rotated: undefined, log_purged: 'trail', gap: 'trail', audit_stopped: 'trail', audit_resumed: 'trail' },
  ...{ audit_verified: 'trail', audit_exported: 'trail' },
  ...{ intent: undefined, outcome: undefined, auth_failed: undefined, denied: undefined },
  ...{ break_glass: 'breakGlass', key_opened: 'breakGlass' },
  ...{ gate_opened: 'agreements', gate_closed: 'agreements', agreement_ended: 'agreements', agreement_ending: 'agreements', tenant_closed: 'agreements' },
  ...{ started: 'process', stopped: 'process', config_changed: 'process', deployment_changed: 'process' },
  ...{ store_unreadable: 'process', store_unwritable: 'process', tls_reloaded: 'process', token_keys_reloaded: 'process' },
  ...{ model_loaded: 'process', model_unloaded: 'process', model_load_failed: 'process', cache_flushed: 'process' },
  ...{ engine_lost: 'process', engine_restarted: 'process', engine_failed: 'process' },
  ...{ policy_set: 'changes', trusted_key_added: 'changes', agreement_added: 'changes', agreement_revoked: 'changes', manifest_added: 'changes' },
  ...{ tenant_added: 'changes', tenant_quota_set: 'changes', key_created: 'changes', key_revoked: 'changes' },
  ...{ person_added: 'changes', person_renewed: 'changes', person_revoked: 'changes', clock_reset: 'changes', store_restored: 'changes' },
};

export function findSection(event: EventName): SectionName | undefined {
  return sections[event];
}

const places: ReadonlySet<string> = new Set(['event', ...Object.keys(commonFields)]);

export function toEntry(record: AuditRecord): Entry {
  const { seq, time, event } = record;
  return { seq, time: formatTime(time), event, fields: Object.fromEntries(listFields(record).filter(([name]) => !places.has(name))) };
}
