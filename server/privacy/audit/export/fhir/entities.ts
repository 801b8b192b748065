/**
 * Owns what an event was about: the request, the model, the agreement and the other things that a record names, and the record itself
 * with all fields that have no place elsewhere. Refuses `query`, which BALP's patterns of search need and which would hold content.
 */
import type { AuditRecord } from '../../events.ts';
import { listFields } from '../fields.ts';
import { refer } from './codes.ts';
import type { Coding, Entity } from './resource.ts';

const typeSystem = 'http://terminology.hl7.org/CodeSystem/audit-entity-type';
const roleSystem = 'http://terminology.hl7.org/CodeSystem/object-role';
const person: Coding = { system: typeSystem, code: '1', display: 'Person' };
const systemObject: Coding = { system: typeSystem, code: '2', display: 'System Object' };
const organization: Coding = { system: typeSystem, code: '3', display: 'Organization' };
const other: Coding = { system: typeSystem, code: '4', display: 'Other' };
/** BALP: the value of the header X-Request-Id, which the server sends with every answer. */
const requestId: Coding = { system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType', code: 'XrequestId' };
const userEntity: Coding = { system: roleSystem, code: '11', display: 'Security User Entity' };
const resource: Coding = { system: roleSystem, code: '13', display: 'Security Resource' };

/** Fields that name a thing; each is an entity of its own, with the field's name in the system of its identifier. */
const things: Readonly<Record<string, Pick<Entity, 'type' | 'role'>>> = {
  request: { type: requestId },
  correlation: { type: other },
  tenant: { type: organization },
  model: { type: systemObject },
  manifest: { type: systemObject, role: resource },
  agreement: { type: systemObject, role: resource },
  publicKey: { type: systemObject, role: resource },
  log: { type: systemObject, role: resource },
};
/** Of administration, where a key or a person is what was changed. */
const changed: Readonly<Record<string, Pick<Entity, 'type' | 'role'>>> = {
  ...things,
  key: { type: systemObject, role: userEntity },
  person: { type: person, role: userEntity },
};

/** Fields that stand elsewhere in the resource. */
const placed: ReadonlySet<string> = new Set(['event', 'time', 'host', 'at', 'by', 'purpose', 'address', 'certificate', 'token']);

export function describeEntities(record: AuditRecord, log: string | undefined, base: string): Entity[] {
  const isChange = 'by' in record;
  const named = isChange ? changed : things;
  const isPlaced = (name: string): boolean => placed.has(name) || (isAgent(record, name) && !isChange);
  const fields = listFields(record).filter(([name]) => !isPlaced(name));
  const entities = fields.flatMap(([name, value]): Entity[] => (named[name] === undefined ? [] : [{ what: refer(name, value, base), ...named[name] }]));
  const detail = fields.filter(([name]) => named[name] === undefined).map(([type, valueString]) => ({ type, valueString }));
  const id = log === undefined ? String(record.seq) : `${log}-${record.seq}`;
  return [...entities, { what: refer('record', id, base), type: other, detail }];
}

/** Keys and people of requests are agents; the keys of the log itself are not known by such an id. */
function isAgent(record: AuditRecord, name: string): boolean {
  const isLog = record.event === 'log_created' || record.event === 'log_rotated';
  return !isLog && (name === 'key' || name === 'person');
}
