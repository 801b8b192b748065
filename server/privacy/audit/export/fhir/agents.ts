/**
 * Owns who took part in an event, in the roles that IHE BALP gives them: the client sends, the server receives, a person is the author
 * of a change or the recipient of the trail. Refuses names: keys and people have identifiers only.
 */
import type { AuditRecord } from '../../events.ts';
import { eventTraits } from '../traits.ts';
import { refer, toCoding } from './codes.ts';
import { findToken, nameToken } from './profiles.ts';
import type { Agent, Coding, Reference } from './resource.ts';

const participationSystem = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType';
const author: Coding = { system: participationSystem, code: 'AUT', display: 'author (originator)' };
const recipient: Coding = { system: participationSystem, code: 'IRCP', display: 'information recipient' };
/** BALP: the holder of a token of OAuth. */
const tokenUser: Coding = {
  system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes',
  code: 'UserOauthAgent',
  display: 'User OAuth Agent participant',
};

/** One at least: the server. */
export function describeAgents(record: AuditRecord, base: string): Agent[] {
  const user = describeUser(record, base);
  const client = describeClient(record, base, user === undefined);
  return [
    ...(user === undefined ? [] : [user]),
    ...(client === undefined ? [] : [client]),
    {
      type: { coding: [toCoding(client === undefined ? 110150 : 110152)] },
      who: { type: 'Device', ...refer('host', record.host, base) },
      requestor: false,
    },
  ];
}

/** Who gave the command, or with whose access or token a request came. */
function describeUser(record: AuditRecord, base: string): Agent | undefined {
  const [who, token] = [referUser(record, base), findToken(record)];
  if (who === undefined && token === undefined) return undefined;
  const role = 'by' in record && eventTraits[record.event].action !== 'R' ? author : recipient;
  return {
    type: { coding: token === undefined ? [role] : [role, tokenUser] },
    ...(who === undefined ? {} : { who }),
    requestor: true,
    ...(token === undefined ? {} : { policy: [nameToken(token)] }),
  };
}

/** A person, or the key that a token stands for. */
function referUser(record: AuditRecord, base: string): Reference | undefined {
  const person = findPerson(record);
  if (person !== undefined) return refer('person', person, base);
  const key = findToken(record) !== undefined && 'key' in record ? record.key : undefined;
  return key === undefined ? undefined : refer('key', key, base);
}

function findPerson(record: AuditRecord): string | undefined {
  if ('by' in record) return record.by;
  return record.event === 'auth_failed' || record.event === 'denied' ? record.person : undefined;
}

/** The program that sent a request, known by its key; where a user is there, that one asked through it. */
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
