/**
 * Owns what the profiles of IHE BALP 1.1.4 (2025-10-31) ask of an AuditEvent, as data: all 19 of them. Written by hand from the
 * differentials of their StructureDefinitions and the value sets that these bind (https://profiles.ihe.net/ITI/BALP, by the IHE IT
 * Infrastructure Technical Committee, CC BY 4.0). Refuses what asks nothing of a sender: mustSupport, texts, slices without a rule.
 */

export interface Coding {
  readonly system: string;
  readonly code: string;
}

/** Of one element; `max` is left out where it is that of FHIR. */
export interface Rule {
  readonly min?: number;
  readonly max?: number;
  /** What must be in the value at least. */
  readonly pattern?: unknown;
  /** A binding that is required. */
  readonly codes?: readonly Coding[];
  /** Of a text, which the profile asks for in a comment. */
  readonly form?: RegExp;
  /** val-audit-source: `who` is the observer of the source too. */
  readonly isSource?: true;
  /** A reference to a Patient and to nothing else. */
  readonly isPatient?: true;
}

export interface Profile {
  readonly parent?: string;
  /** Elements whose items must each be in a slice. */
  readonly closed?: readonly string[];
  /** What tells the slices of an element apart, where it is not its type ($this of subtype). */
  readonly discriminators?: Readonly<Record<string, string>>;
  /** By the id of the element without `AuditEvent.`, as in a StructureDefinition: `agent:oUser.policy`. */
  readonly rules: Readonly<Record<string, Rule>>;
}
type Rules = Profile['rules'];

export const profileBase = 'https://profiles.ihe.net/ITI/BALP/StructureDefinition/';
const terms = 'http://terminology.hl7.org/CodeSystem/';
const dicom = 'http://dicom.nema.org/resources/ontology/DCM';
const userAgents = 'https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes';
const participation = `${terms}v3-ParticipationType`;
const objectRole = `${terms}object-role`;
const entityType = `${terms}audit-entity-type`;

const list = (system: string, ...codes: string[]): Coding[] => codes.map((code) => ({ system, code }));
const coding = (system: string, code: string): Rule => ({ min: 1, pattern: { system, code } });
const concept = (system: string, code: string): Rule => ({ min: 1, pattern: { coding: [{ system, code }] } });
const none = (slice: string, ...names: string[]): Rules => Object.fromEntries(names.map((name) => [`${slice}.${name}`, { max: 0 }]));
const one: Rule = { min: 1, max: 1 };
const some: Rule = { min: 1 };
const success: Rule = { min: 1, pattern: '0' };

/** A program at one end of the connection. */
const end = (slice: string, system: string, code: string): Rules => ({
  [slice]: one,
  [`${slice}.type`]: concept(system, code),
  [`${slice}.who`]: some,
  [`${slice}.network`]: some,
});

const patient: Rules = {
  entity: { min: 2 },
  'entity:patient': one,
  'entity:patient.what': { min: 1, isPatient: true },
  'entity:patient.type': coding(entityType, '1'),
  'entity:patient.role': coding(objectRole, '1'),
};

const ofQuery: Rules = {
  'entity:query': one,
  'entity:query.type': coding(entityType, '2'),
  'entity:query.role': coding(objectRole, '24'),
  'entity:query.query': some,
  ...none('entity:query', 'what', 'lifecycle', 'detail'),
};
const ofData = (leastRole: number): Rules => ({
  'entity:data': one,
  'entity:data.what': some,
  'entity:data.type': coding(entityType, '2'),
  'entity:data.role': { min: leastRole, codes: list(objectRole, '3', '4', '20') },
});
const reader: Rule = concept(participation, 'IRCP');
const writer: Rule = { min: 1, codes: list(participation, 'AUT', 'INF', 'CST') };

interface Operation {
  readonly action: string;
  readonly interactions: readonly string[];
  readonly client?: string;
  readonly server?: readonly [system: string, code: string];
  readonly user?: Rule;
  readonly object: Rules;
}

/** Of an operation by the REST of FHIR. */
function ofRest({ action, interactions, client = '110153', server = [dicom, '110152'], user = writer, object }: Operation): Profile {
  return {
    rules: {
      type: { pattern: { system: `${terms}audit-event-type`, code: 'rest' } },
      subtype: some,
      'subtype:any': { min: 1, max: 1, codes: list('http://hl7.org/fhir/restful-interaction', ...interactions) },
      action: { pattern: action },
      outcome: success,
      agent: { min: 2 },
      ...end('agent:client', dicom, client),
      ...none('agent:client', 'media'),
      ...end('agent:server', ...server),
      ...none('agent:server', 'media'),
      'agent:user': { max: 1 },
      'agent:user.type': user,
      'agent:user.who': some,
      'agent:user.requestor': { pattern: true },
      ...none('agent:user', 'media', 'network'),
      entity: some,
      'entity:transaction': { max: 1 },
      'entity:transaction.what.identifier.value': some,
      'entity:transaction.type': coding('https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType', 'XrequestId'),
      ...object,
    },
  };
}

const ofDisclosure = (type: string, action: string, recorder: string): Profile => ({
  rules: {
    modifierExtension: { max: 0 },
    type: { pattern: { system: dicom, code: type } },
    subtype: some,
    'subtype:disclosure': { min: 1, max: 1, pattern: { system: `${terms}iso-21089-lifecycle`, code: 'disclose' } },
    action: { pattern: action },
    outcome: some,
    agent: { min: 2 },
    ...end('agent:source', dicom, '110153'),
    ...end('agent:recipient', dicom, '110152'),
    [recorder]: { ...one, isSource: true },
    'agent:custodian': { max: 1 },
    'agent:custodian.type': concept('http://snomed.info/sct', '159541003'),
    'agent:custodian.who': some,
    'agent:authorizer': { max: 1 },
    'agent:authorizer.type': concept('http://snomed.info/sct', '429577009'),
    'agent:authorizer.who': some,
    ...patient,
  },
});

const tokenUser: Rules = {
  'agent:oUser': some,
  'agent:oUser.type': concept(userAgents, 'UserOauthAgent'),
  'agent:oUser.requestor': { pattern: true },
  'agent:oUser.policy': one,
};

/** By the name behind `IHE.`. */
export const profiles: Readonly<Record<string, Profile>> = {
  'BasicAudit.OAUTHaccessTokenUse.Minimal': {
    rules: { ...tokenUser, 'agent:oUser.policy': { ...one, form: /^urn:ietf:params:oauth:jti:./ }, ...none('agent:oUser', 'media', 'network') },
  },
  'BasicAudit.OAUTHaccessTokenUse.Opaque': { rules: tokenUser },
  'BasicAudit.OAUTHaccessTokenUse.Comprehensive': {
    rules: {
      'agent:oClient': one,
      'agent:oClient.type': concept(dicom, '110150'),
      'agent:oClient.who': some,
      'agent:oClient.who.identifier': some,
      'agent:oClient.who.identifier.value': some,
      ...none('agent:oClient', 'media'),
      'agent:oUser': { max: 1 },
      'agent:oUser.type': reader,
      'agent:oUser.who': some,
      'agent:oUser.who.identifier': some,
      'agent:oUser.requestor': { pattern: true },
      'agent:oUser.policy': one,
      ...none('agent:oUser', 'media', 'network'),
    },
  },
  'BasicAudit.SAMLaccessTokenUse.Minimal': {
    rules: {
      'agent:user': some,
      'agent:user.type': concept(userAgents, 'UserSamlAgent'),
      'agent:user.who': some,
      'agent:user.who.identifier.value': some,
      'agent:user.requestor': { pattern: true },
      'agent:user.policy': one,
      ...none('agent:user', 'altId', 'media', 'network'),
    },
  },
  // What it adds is about agents and entities that need not be there.
  'BasicAudit.SAMLaccessTokenUse.Comprehensive': { parent: 'BasicAudit.SAMLaccessTokenUse.Minimal', rules: {} },
  'BasicAudit.Create': ofRest({ action: 'C', interactions: ['create'], object: ofData(1) }),
  'BasicAudit.Read': ofRest({
    ...{ action: 'R', interactions: ['read', 'vread'], client: '110152', server: [dicom, '110153'], user: reader, object: ofData(0) },
  }),
  'BasicAudit.Update': ofRest({ action: 'U', interactions: ['update', 'patch'], object: ofData(1) }),
  'BasicAudit.Delete': ofRest({
    ...{ action: 'D', interactions: ['delete'], client: '110150', server: [`${terms}provenance-participant-type`, 'custodian'], object: ofData(1) },
  }),
  'BasicAudit.Query': ofRest({ action: 'E', interactions: ['search', 'search-type', 'search-system'], user: reader, object: ofQuery }),
  'BasicAudit.PatientCreate': { parent: 'BasicAudit.Create', rules: patient },
  'BasicAudit.PatientRead': { parent: 'BasicAudit.Read', rules: patient },
  'BasicAudit.PatientUpdate': { parent: 'BasicAudit.Update', rules: patient },
  'BasicAudit.PatientDelete': { parent: 'BasicAudit.Delete', rules: patient },
  'BasicAudit.PatientQuery': { parent: 'BasicAudit.Query', rules: patient },
  'BasicAudit.PrivacyDisclosure.Source': ofDisclosure('110106', 'R', 'agent:source'),
  'BasicAudit.PrivacyDisclosure.Recipient': ofDisclosure('110107', 'C', 'agent:recipient'),
  'BasicAudit.AuthZconsent': {
    closed: ['entity'],
    rules: {
      modifierExtension: { max: 0 },
      type: { pattern: { system: dicom, code: '110113' } },
      subtype: { min: 1, codes: list('https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType', 'AuthZ-Consent', 'AuthZ-Role') },
      action: { pattern: 'E' },
      outcome: some,
      agent: { min: 4 },
      ...end('agent:client', dicom, '110150'),
      ...none('agent:client', 'role', 'altId', 'name', 'location', 'media', 'purposeOfUse'),
      'agent:user': one,
      'agent:user.type': reader,
      'agent:user.who': some,
      'agent:user.requestor': { pattern: true },
      ...none('agent:user', 'altId', 'location', 'media', 'network'),
      'agent:userorg': one,
      'agent:userorg.type': concept(`${terms}v3-RoleClass`, 'PROV'),
      'agent:userorg.who': some,
      'agent:userorg.requestor': { pattern: false },
      ...none('agent:userorg', 'role', 'altId', 'name', 'location', 'policy', 'media', 'network'),
      'agent:authorizer': { ...one, isSource: true },
      'agent:authorizer.type': concept(`${terms}extra-security-role-type`, 'authserver'),
      'agent:authorizer.who': some,
      'agent:authorizer.requestor': { pattern: false },
      ...none('agent:authorizer', 'role', 'altId', 'name', 'location', 'policy', 'media', 'network', 'purposeOfUse'),
      ...patient,
      'entity:consent': some,
      'entity:consent.what': some,
      'entity:consent.type': coding('http://hl7.org/fhir/resource-types', 'Consent'),
      'entity:token': { max: 1 },
      'entity:token.what': some,
      'entity:token.what.identifier': some,
      'entity:token.what.identifier.value': { min: 1, form: /^urn:ietf:params:oauth:jti:./ },
      'entity:token.type': coding(userAgents, 'UserOauthAgent'),
    },
  },
  'IUA.71': {
    closed: ['agent', 'entity'],
    discriminators: { entity: 'role' },
    rules: {
      type: { pattern: { system: dicom, code: '110114' } },
      subtype: { min: 1, max: 1, pattern: { system: 'urn:ihe:event-type-code', code: 'ITI-71' } },
      action: { pattern: 'E' },
      outcome: success,
      agent: { min: 2, max: 3 },
      ...end('agent:client', dicom, '110150'),
      ...none('agent:client', 'media'),
      ...end('agent:auth-server', userAgents, 'AuthzOauthService'),
      ...none('agent:auth-server', 'media'),
      'agent:user': { max: 1 },
      'agent:user.type': reader,
      'agent:user.who': some,
      'agent:user.requestor': { pattern: true },
      ...none('agent:user', 'altId', 'media', 'network'),
      entity: one,
      'entity:token-request': one,
      'entity:token-request.type': coding(entityType, '2'),
      'entity:token-request.role': coding(objectRole, '24'),
      'entity:token-request.query': some,
      ...none('entity:token-request', 'what'),
      'entity:token-response': { max: 1 },
      'entity:token-response.what': some,
      'entity:token-response.type': coding(entityType, '2'),
      'entity:token-response.role': coding(objectRole, '13'),
      'entity:token-response.detail': some,
    },
  },
};
