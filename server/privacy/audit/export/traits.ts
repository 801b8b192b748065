/**
 * Owns what each event is by the vocabularies of others: type and subtype of DICOM (PS3.16, 1101xx, as the value sets of FHIR R4 have
 * them), action and outcome of FHIR's AuditEvent, severity of syslog. Refuses a code that only nearly fits: there is none then.
 */
import type { AuditRecord, EventName } from '../events.ts';

/** Displays are DICOM's. */
export const dicomCodes = {
  110100: 'Application Activity',
  110101: 'Audit Log Used',
  110113: 'Security Alert',
  110114: 'User Authentication',
  110120: 'Application Start',
  110121: 'Application Stop',
  110122: 'Login',
  110127: 'Emergency Override Started',
  110129: 'Security Configuration',
  110131: 'Software Configuration',
  110132: 'Use of Restricted Function',
  110133: 'Audit Recording Stopped',
  110134: 'Audit Recording Started',
  110136: 'Security Roles Changed',
  110137: 'User security Attributes Changed',
  110150: 'Application',
  110152: 'Destination Role ID',
  110153: 'Source Role ID',
} as const;
export type DicomCode = keyof typeof dicomCodes;

export type Action = 'C' | 'R' | 'U' | 'D' | 'E';
/** Success; minor failure (like an answer 4xx of HTTP), serious failure (like 5xx), major failure (the system died). */
export type Outcome = '0' | '4' | '8' | '12';

export interface Traits {
  readonly type: 110100 | 110101 | 110113 | 110114;
  readonly subtype?: DicomCode;
  readonly action: Action;
  /** Where every record of the event has the same one. */
  readonly outcome?: Outcome;
  /** Of syslog: of a success 6 (informational) unless it says something else. */
  readonly severity?: number;
}

const activity = { type: 110100, action: 'E', outcome: '0' } as const;
const alert = { type: 110113, action: 'E', outcome: '0', severity: 5 } as const;
const security = { ...alert, subtype: 110129, action: 'U' } as const;
const software = { ...alert, subtype: 110131, action: 'U' } as const;
const user = { ...alert, subtype: 110137, action: 'U' } as const;
const roles = { ...alert, subtype: 110136, action: 'U' } as const;
const used = { type: 110101, action: 'R', severity: 5 } as const;

export const eventTraits: Readonly<Record<EventName, Traits>> = {
  // of the log itself
  log_created: { ...alert, subtype: 110134 },
  log_rotated: activity,
  log_purged: { ...activity, action: 'D', severity: 5 },
  gap: { ...alert, outcome: '8' },
  audit_stopped: { ...alert, subtype: 110133, outcome: '12' },
  audit_resumed: { ...alert, subtype: 110134 },
  // of requests
  intent: { type: 110100, action: 'E' },
  outcome: { type: 110100, action: 'E' },
  auth_failed: { type: 110114, subtype: 110122, action: 'E', outcome: '4' },
  denied: { ...alert, subtype: 110132, outcome: '4', severity: 4 },
  break_glass: { ...alert, subtype: 110127, severity: 4 },
  // of the process
  started: { ...activity, subtype: 110120, severity: 5 },
  stopped: { ...activity, subtype: 110121, severity: 5 },
  config_changed: security,
  gate_opened: { ...activity, severity: 5 },
  gate_closed: { ...activity, severity: 4 },
  agreement_ended: { ...alert, severity: 4 },
  agreement_ending: { ...alert, severity: 4 },
  deployment_changed: software,
  tenant_closed: { ...activity, severity: 5 },
  store_unreadable: { ...alert, outcome: '8' },
  store_unwritable: { ...alert, outcome: '8' },
  tls_reloaded: security,
  token_keys_reloaded: security,
  model_loaded: activity,
  model_unloaded: activity,
  model_load_failed: { ...activity, outcome: '8' },
  cache_flushed: { ...activity, action: 'D' },
  engine_lost: { ...activity, outcome: '8' },
  engine_restarted: { ...activity, severity: 5 },
  engine_failed: { ...activity, outcome: '12' },
  // of administration
  policy_set: security,
  trusted_key_added: { ...security, action: 'C' },
  agreement_added: { ...security, action: 'C' },
  agreement_revoked: security,
  manifest_added: { ...software, action: 'C' },
  tenant_added: { ...security, action: 'C' },
  tenant_quota_set: security,
  key_created: { ...user, action: 'C' },
  key_revoked: user,
  key_opened: { ...alert, subtype: 110127, severity: 4 },
  person_added: { ...roles, action: 'C' },
  person_renewed: user,
  person_revoked: roles,
  clock_reset: { ...security, severity: 4 },
  store_restored: { ...security, severity: 4 },
  audit_verified: used,
  audit_exported: { ...used, outcome: '0' },
};

const endingOutcomes = { stop: '0', length: '0', mixed: '0', cancelled: '4', refused: '4', failed: '8', crashed: '12' } as const;

/** How it ended; undefined of an intent, which nobody knows that of yet. */
export function judgeOutcome(record: AuditRecord): Outcome | undefined {
  switch (record.event) {
    case 'outcome':
      return endingOutcomes[record.ending];
    case 'audit_verified':
      return record.intact ? '0' : '8';
    case 'model_unloaded':
      return record.zeroed ? '0' : '8';
    default:
      return eventTraits[record.event].outcome;
  }
}

const outcomeSeverities: Readonly<Record<Outcome, number>> = { 0: 6, 4: 4, 8: 3, 12: 2 };

/** Of syslog (RFC 5424, table 2): 2 critical, 3 error, 4 warning, 5 notice, 6 informational. */
export function judgeSeverity(record: AuditRecord): number {
  const { severity = 6 } = eventTraits[record.event];
  return Math.min(severity, outcomeSeverities[judgeOutcome(record) ?? '0']);
}
