/**
 * Owns who took part in an event, in the roles that IHE BALP gives them: the client sends, the server receives, a person is the author
 * of a change or the recipient of the trail. Refuses names: keys and people have identifiers only.
 */
import type { AuditRecord } from '../../events.ts';
import { eventTraits } from '../traits.ts';
import { refer, toCoding } from './codes.ts';
import type { Agent, CodeableConcept } from './resource.ts';

const participationSystem = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType';
const author: CodeableConcept = { coding: [{ system: participationSystem, code: 'AUT', display: 'author (originator)' }] };
const recipient: CodeableConcept = { coding: [{ system: participationSystem, code: 'IRCP', display: 'information recipient' }] };

/** One at least: the server. */
export function describeAgents(record: AuditRecord, base: string): Agent[] {
  const person = findPerson(record);
  const client = describeClient(record, base, person === undefined);
  return [
    ...(person === undefined
      ? []
      : [{ type: 'by' in record && eventTraits[record.event].action !== 'R' ? author : recipient, who: refer('person', person, base), requestor: true }]),
    ...(client === undefined ? [] : [client]),
    {
      type: { coding: [toCoding(client === undefined ? 110150 : 110152)] },
      who: { type: 'Device', ...refer('host', record.host, base) },
      requestor: false,
    },
  ];
}

/** Who gave the command, or with whose access a request came. */
function findPerson(record: AuditRecord): string | undefined {
  if ('by' in record) return record.by;
  return record.event === 'auth_failed' || record.event === 'denied' ? record.person : undefined;
}

/** The program that sent a request, known by its key. */
function describeClient(record: AuditRecord, base: string, isRequestor: boolean): Agent | undefined {
  const isRequest = record.event === 'intent' || record.event === 'auth_failed' || record.event === 'denied';
  if (!isRequest && record.event !== 'break_glass' && record.event !== 'key_opened') return undefined;
  const { key } = record;
  const address = 'address' in record ? record.address : undefined;
  return {
    type: { coding: [toCoding(110153)] },
    ...(key === undefined ? {} : { who: refer('key', key, base) }),
    ...(isRequest && record.certificate !== undefined ? { altId: record.certificate } : {}),
    requestor: isRequestor,
    // What permitted it.
    ...(record.event === 'intent' ? { policy: [`${base}:agreement:${record.agreement}`] } : {}),
    ...(address === undefined ? {} : { network: { address, type: '2' } }),
  };
}
