/**
 * Owns examples of IHE BALP 1.1.4, shortened to what its profiles are about: AuditEvent ex-auditBasicReadOServerMin, ex-auditAuthZconsent
 * and ex-auditPrivacyDisclosure-source (https://profiles.ihe.net/ITI/BALP, IHE IT Infrastructure Technical Committee, CC BY 4.0). What
 * of them their profiles do not meet stays.
 */

export interface Example {
  readonly resourceType: 'AuditEvent';
  readonly type: object;
  readonly subtype: readonly object[];
  readonly action: string;
  readonly recorded: string;
  readonly outcome: string;
  readonly agent: readonly object[];
  readonly source: object;
  readonly entity: readonly object[];
}

const dicom = 'http://dicom.nema.org/resources/ontology/DCM';
const terms = 'http://terminology.hl7.org/CodeSystem/';
const type = (system: string, code: string): object => ({ coding: [{ system, code }] });
const device = { reference: 'Device/ex-device' };
const address = { address: '2001:0db8:85a3:0000:0000:8a2e:0370:7334', type: '2' };
const patient = {
  what: { reference: 'Patient/ex-patient' },
  type: { system: `${terms}audit-entity-type`, code: '1', display: 'Person' },
  role: { system: `${terms}object-role`, code: '1', display: 'Patient' },
};

export const tokenRead: Example = {
  resourceType: 'AuditEvent',
  type: { system: `${terms}audit-event-type`, code: 'rest', display: 'Restful Operation' },
  subtype: [{ system: 'http://hl7.org/fhir/restful-interaction', code: 'read', display: 'read' }],
  action: 'R',
  recorded: '2020-04-29T09:49:00.000Z',
  outcome: '0',
  agent: [
    {
      type: type('https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes', 'UserOauthAgent'),
      requestor: true,
      policy: ['C187CC480FAC40A0936902D8BC324F5F'],
    },
    { type: type(dicom, '110153'), who: device, requestor: false, network: { address: 'http://server.example.com/fhir', type: '5' } },
    { type: type(dicom, '110152'), who: { display: 'myMachine.example.org' }, requestor: false, network: address },
  ],
  source: { site: 'server.example.com', observer: device },
  entity: [
    patient,
    {
      what: { reference: 'List/ex-list' },
      type: { system: `${terms}audit-entity-type`, code: '2', display: 'System Object' },
      role: { system: `${terms}object-role`, code: '4', display: 'Domain Resource' },
    },
    {
      what: { identifier: { value: '76d148b6-586d-11ec-bf63-0242ac130002' } },
      type: { system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType', code: 'XrequestId' },
    },
  ],
};

export const consent: Example = {
  resourceType: 'AuditEvent',
  type: { system: dicom, code: '110113', display: 'Security Alert' },
  subtype: [{ system: 'https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType', code: 'AuthZ-Consent' }],
  action: 'E',
  recorded: '2021-12-27T09:49:00.000Z',
  outcome: '0',
  agent: [
    { type: type(`${terms}extra-security-role-type`, 'authserver'), who: { reference: 'Device/ex-authz' }, requestor: false },
    { type: type(dicom, '110150'), who: device, requestor: false, network: address },
    { type: type(`${terms}v3-ParticipationType`, 'IRCP'), who: { reference: 'Practitioner/ex-practitioner' }, requestor: true },
    { type: type(`${terms}v3-RoleClass`, 'PROV'), who: { reference: 'Organization/ex-organization' }, requestor: false },
  ],
  source: { site: 'server.example.com', observer: { reference: 'Device/ex-authz' } },
  entity: [patient, { what: { reference: 'Consent/ex-consent' }, type: { system: 'http://hl7.org/fhir/resource-types', code: 'Consent' } }],
};

const model = { display: 'model number ABC, serial number 1234' };
export const disclosure: Example = {
  resourceType: 'AuditEvent',
  type: { system: dicom, code: '110106', display: 'Export' },
  subtype: [
    { system: `${terms}iso-21089-lifecycle`, code: 'disclose', display: 'Disclose Record Lifecycle Event' },
    { system: 'http://hl7.org/fhir/restful-interaction', code: 'read', display: 'read' },
  ],
  action: 'R',
  recorded: '2020-04-29T09:49:00.000Z',
  outcome: '0',
  agent: [
    { type: type(dicom, '110153'), who: model, requestor: false, network: { address: 'myDevice.example.com', type: '1' } },
    { type: type(dicom, '110152'), who: { display: 'myMachine.example.org' }, requestor: false, network: address },
    { type: type('http://snomed.info/sct', '429577009'), who: { reference: 'Patient/ex-patient' }, requestor: true },
  ],
  source: { site: 'mobile app foo-bar', observer: model },
  entity: [
    patient,
    {
      what: { reference: 'DocumentReference/ex-documentreference' },
      type: { system: `${terms}audit-entity-type`, code: '2', display: 'System Object' },
      role: { system: `${terms}object-role`, code: '3', display: 'Report' },
    },
  ],
};
