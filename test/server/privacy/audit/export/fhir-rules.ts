/**
 * Owns what FHIR R4 says of an AuditEvent, as a table of facts, and a checker by it. Source: the StructureDefinition
 * http://hl7.org/fhir/StructureDefinition/AuditEvent, version 4.0.1 (2019-11-01), those of its data types, and the value sets that they
 * bind. Refuses what the table does not name, references, extensions and contained resources among it.
 */

/** Least, most (-1: any number), type, and name of the value set. */
type Row = readonly [number, number, string, string?];

const types: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  AuditEvent: {
    id: [0, 1, 'id'],
    meta: [0, 1, 'Meta'],
    type: [1, 1, 'Coding', 'audit-event-type'],
    subtype: [0, -1, 'Coding', 'audit-event-sub-type'],
    action: [0, 1, 'code', 'audit-event-action'],
    period: [0, 1, 'Period'],
    recorded: [1, 1, 'instant'],
    outcome: [0, 1, 'code', 'audit-event-outcome'],
    outcomeDesc: [0, 1, 'string'],
    purposeOfEvent: [0, -1, 'CodeableConcept', 'v3-PurposeOfUse'],
    agent: [1, -1, 'AuditEvent.agent'],
    source: [1, 1, 'AuditEvent.source'],
    entity: [0, -1, 'AuditEvent.entity'],
  },
  'AuditEvent.agent': {
    type: [0, 1, 'CodeableConcept', 'participation-role-type'],
    role: [0, -1, 'CodeableConcept'],
    who: [0, 1, 'Reference'],
    altId: [0, 1, 'string'],
    name: [0, 1, 'string'],
    requestor: [1, 1, 'boolean'],
    location: [0, 1, 'Reference'],
    policy: [0, -1, 'uri'],
    media: [0, 1, 'Coding'],
    network: [0, 1, 'AuditEvent.agent.network'],
    purposeOfUse: [0, -1, 'CodeableConcept', 'v3-PurposeOfUse'],
  },
  'AuditEvent.agent.network': { address: [0, 1, 'string'], type: [0, 1, 'code', 'network-type'] },
  'AuditEvent.source': { site: [0, 1, 'string'], observer: [1, 1, 'Reference'], type: [0, -1, 'Coding', 'audit-source-type'] },
  'AuditEvent.entity': {
    what: [0, 1, 'Reference'],
    type: [0, 1, 'Coding', 'audit-entity-type'],
    role: [0, 1, 'Coding', 'object-role'],
    lifecycle: [0, 1, 'Coding'],
    securityLabel: [0, -1, 'Coding'],
    name: [0, 1, 'string'],
    description: [0, 1, 'string'],
    query: [0, 1, 'base64Binary'],
    detail: [0, -1, 'AuditEvent.entity.detail'],
  },
  // value[x] is string or base64Binary, and one of them must be there: only the string is used.
  'AuditEvent.entity.detail': { type: [1, 1, 'string'], valueString: [1, 1, 'string'] },
  Bundle: { id: [0, 1, 'id'], meta: [0, 1, 'Meta'], type: [1, 1, 'code', 'bundle-type'], timestamp: [0, 1, 'instant'], entry: [0, -1, 'Bundle.entry'] },
  'Bundle.entry': { fullUrl: [0, 1, 'uri'], resource: [0, 1, 'AuditEvent'] },
  Meta: { profile: [0, -1, 'uri'] },
  Coding: { system: [0, 1, 'uri'], version: [0, 1, 'string'], code: [0, 1, 'code'], display: [0, 1, 'string'], userSelected: [0, 1, 'boolean'] },
  CodeableConcept: { coding: [0, -1, 'Coding'], text: [0, 1, 'string'] },
  Period: { start: [0, 1, 'dateTime'], end: [0, 1, 'dateTime'] },
  Reference: { type: [0, 1, 'uri'], identifier: [0, 1, 'Identifier'], display: [0, 1, 'string'] },
  Identifier: { use: [0, 1, 'code'], system: [0, 1, 'uri'], value: [0, 1, 'string'] },
};

const moment = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
/** By section 2.24 of FHIR R4. */
const primitives: Readonly<Record<string, (value: unknown) => boolean>> = {
  boolean: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string' && /^[ \r\n\t\S]+$/.test(value),
  code: (value) => typeof value === 'string' && /^\S+(\s\S+)*$/.test(value),
  uri: (value) => typeof value === 'string' && /^[a-z][a-z0-9+.-]*:\S+$|^Device$/.test(value),
  id: (value) => typeof value === 'string' && /^[A-Za-z0-9.-]{1,64}$/.test(value),
  instant: (value) => typeof value === 'string' && moment.test(value),
  dateTime: (value) => typeof value === 'string' && moment.test(value),
};

const dicom = 'http://dicom.nema.org/resources/ontology/DCM';
const term = 'http://terminology.hl7.org/CodeSystem/';
/** Codes with their displays, as far as a rule is needed: a code of these systems that is not here is wrong in its place. */
const valueSets: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>> = {
  'audit-event-type': {
    [dicom]: {
      110100: 'Application Activity',
      110101: 'Audit Log Used',
      110106: 'Export',
      110107: 'Import',
      110112: 'Query',
      110113: 'Security Alert',
      110114: 'User Authentication',
    },
  },
  'audit-event-sub-type': {
    [dicom]: {
      110120: 'Application Start',
      110121: 'Application Stop',
      110122: 'Login',
      110123: 'Logout',
      110126: 'Node Authentication',
      110127: 'Emergency Override Started',
      110128: 'Network Configuration',
      110129: 'Security Configuration',
      110130: 'Hardware Configuration',
      110131: 'Software Configuration',
      110132: 'Use of Restricted Function',
      110133: 'Audit Recording Stopped',
      110134: 'Audit Recording Started',
      110135: 'Object Security Attributes Changed',
      110136: 'Security Roles Changed',
      110137: 'User security Attributes Changed',
      110138: 'Emergency Override Stopped',
    },
  },
  'v3-PurposeOfUse': {
    [`${term}v3-ActReason`]: {
      TREAT: 'treatment',
      ETREAT: 'Emergency Treatment',
      BTG: 'break the glass',
      COVAUTH: 'coverage authorization',
      HPAYMT: 'healthcare payment',
      HQUALIMP: 'health quality improvement',
      HOPERAT: 'healthcare operations',
      HTEST: 'test health data',
    },
  },
  'participation-role-type': {
    [`${term}v3-ParticipationType`]: { AUT: 'author (originator)', IRCP: 'information recipient' },
    [dicom]: { 110150: 'Application', 110151: 'Application Launcher', 110152: 'Destination Role ID', 110153: 'Source Role ID' },
    'https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes': { UserOauthAgent: 'User OAuth Agent participant' },
  },
  'audit-source-type': { [`${term}security-source-type`]: { 4: 'Application Server' } },
  'audit-entity-type': {
    [`${term}audit-entity-type`]: { 1: 'Person', 2: 'System Object', 3: 'Organization', 4: 'Other' },
    'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType': { XrequestId: '' },
  },
  'object-role': { [`${term}object-role`]: { 11: 'Security User Entity', 13: 'Security Resource', 17: 'Data Repository', 20: 'Job' } },
};
const requiredCodes: Readonly<Record<string, readonly string[]>> = {
  'audit-event-action': ['C', 'R', 'U', 'D', 'E'],
  'audit-event-outcome': ['0', '4', '8', '12'],
  'network-type': ['1', '2', '3', '4', '5'],
  'bundle-type': ['collection'],
};
/** Places where an extensible value set has no code for what we mean, and a code of our own may stand beside or instead. */
const opened: ReadonlySet<string> = new Set(['audit-event-sub-type', 'v3-PurposeOfUse']);

type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with a resource, one line each; `base` is what our own systems begin with. */
export function judgeResource(value: unknown, base = 'urn:inward'): string[] {
  const { resourceType, ...fields } = value as Fields;
  if (resourceType !== 'AuditEvent' && resourceType !== 'Bundle') return [`resourceType ${String(resourceType)}`];
  return judgeFields(fields, resourceType, resourceType, base);
}

function judgeFields(fields: Fields, type: string, path: string, base: string): string[] {
  const rows = types[type] ?? {};
  const unknown = Object.keys(fields).filter((name) => rows[name] === undefined);
  return [
    ...unknown.map((name) => `${path}.${name} is not known`),
    ...(Object.keys(fields).length === 0 ? [`ele-1: ${path} is empty`] : []),
    ...judgeInvariants(fields, type, path),
    ...Object.entries(rows).flatMap(([name, row]) => judgeElement(fields[name], row, `${path}.${name}`, base)),
  ];
}

function judgeElement(value: unknown, [least, most, type, set]: Row, path: string, base: string): string[] {
  if (value === undefined) return least > 0 ? [`${path} is missing`] : [];
  if (Array.isArray(value) !== (most === -1)) return [`${path} is ${most === -1 ? 'no' : 'an'} array`];
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) return [`${path} is an empty array`];
  return values.flatMap((item) => judgeValue(item, type, set, path, base));
}

function judgeValue(value: unknown, type: string, set: string | undefined, path: string, base: string): string[] {
  const fits = primitives[type];
  if (fits !== undefined) {
    if (!fits(value)) return [`${path} is no ${type}`];
    return set !== undefined && !requiredCodes[set]?.includes(String(value)) ? [`${path} is not in ${set}`] : [];
  }
  if (typeof value !== 'object' || value === null) return [`${path} is no object`];
  const { resourceType, ...fields } = value as Fields;
  if (type === 'AuditEvent' && resourceType !== type) return [`${path} is no ${type}`];
  const codings = type === 'CodeableConcept' ? ((fields['coding'] ?? []) as Fields[]) : [fields];
  const coded = set === undefined ? [] : codings.flatMap((coding) => judgeCoding(coding, set, path, base));
  return [...judgeFields(type === 'AuditEvent' ? fields : (value as Fields), type, path, base), ...coded];
}

function judgeCoding({ system, code, display }: Fields, set: string, path: string, base: string): string[] {
  if (String(system).startsWith(`${base}:`)) return opened.has(set) ? [] : [`${path} has a code of our own where ${set} has one`];
  const expected = valueSets[set]?.[String(system)]?.[String(code)];
  if (expected === undefined) return [`${path} has ${String(system)}|${String(code)}, which is not in ${set}`];
  return expected !== '' && display !== expected ? [`${path} calls ${String(code)} ${String(display)}`] : [];
}

function judgeInvariants(fields: Fields, type: string, path: string): string[] {
  const broken: string[] = [];
  const { start, end, name, query, identifier, reference, type: kind, address } = fields;
  if (type === 'Period' && start !== undefined && end !== undefined && String(start) > String(end)) broken.push('per-1');
  if (type === 'AuditEvent.entity' && name !== undefined && query !== undefined) broken.push('sev-1');
  if (type === 'Reference' && identifier === undefined && reference === undefined) broken.push('a reference to nothing');
  // By their definitions: an address of type 2 is an IP address.
  if (type === 'AuditEvent.agent.network' && kind === '2' && !/^[0-9a-f.:]+$/.test(String(address))) broken.push('network.type 2 without an IP address');
  if (type === 'Bundle.entry' && fields['resource'] === undefined) broken.push('bdl-5');
  return broken.map((rule) => `${path}: ${rule}`);
}
