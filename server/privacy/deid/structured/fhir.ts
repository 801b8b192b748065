/**
 * Owns which values of a FHIR resource are identifiers (R4: HumanName, Address, ContactPoint, Identifier, Reference, dates, ids,
 * attachments, extensions of unknown makers), and what is prose. Refuses to judge by what a value says, save where the standard has
 * one type for all: a date is told by its form.
 */
import type { Category } from '../types.ts';
import type { DocumentWriter } from './document.ts';
import { proseOf } from './json-prose.ts';
import type { JsonNode } from './json-tree.ts';
import { contactOf, identifierType, isDashedDate } from './kinds.ts';

interface Context {
  readonly key: string;
  readonly parent: JsonNode;
  /** Key of the parent object. */
  readonly parentKey: string;
  readonly resource: string;
  /** Address of the extension that it belongs to. */
  readonly extension: string;
}

const addressParts = new Set(['line', 'city', 'district', 'postalCode', 'text']);
const nameParts = new Set(['family', 'given', 'text']);
const places = new Set(['Organization', 'Location', 'HealthcareService', 'Endpoint', 'CareTeam', 'InsurancePlan', 'Group']);
const placeReferences = new Set([
  'serviceProvider',
  'managingOrganization',
  'organization',
  'location',
  'insurer',
  'custodian',
  'facility',
  'provider',
  'payor',
]);
/** What the standard binds to codes, addresses of definitions, versions and units. */
const bound = new Set(
  'system code url unit use status type resourceType profile language contentType gender versionId version mode kind intent priority operation comparator fhirVersion format implicitRules verificationStatus clinicalStatus birthsex source mediaType prefix suffix state country relation days dayOfWeek when'.split(
    ' ',
  ),
);
const ageKeys = /^(?:deceased|onset|abatement|value|performed|occurrence)?age$/i;

/** A string or number of a resource. */
export function judgeFhirValue(text: string, node: JsonNode, context: Context, writer: DocumentWriter): void {
  const [start, end] = node.kind === 'string' ? [node.start + 1, node.end - 1] : [node.start, node.end];
  const value = text.slice(start, end);
  const type = typeOf(text, value, node, context);
  if (type === 'prose') writer.prose.push(proseOf(text, start, end, context.key, context.key === 'div'));
  else if (type !== undefined) writer.addField(text, start + skipOf(value, context), end, type, node.kind === 'number' ? 'number' : undefined);
}

/** What is no part of the value: the scheme of a contact, the type of a reference. */
function skipOf(value: string, { key, parentKey }: Context): number {
  if (key === 'reference') return value.lastIndexOf('/') + 1;
  if (key === 'fullUrl') return Math.max(value.lastIndexOf('/'), value.lastIndexOf(':')) + 1;
  return key === 'value' && parentKey === 'telecom' ? contactOf(value).skip : 0;
}

function typeOf(text: string, value: string, node: JsonNode, context: Context): Category | 'prose' | undefined {
  if (node.kind === 'number') return typeOfNumber(text, value, context);
  const { key, parentKey, parent, resource } = context;
  if (isDashedDate(value)) return key === 'version' || key === 'versionId' ? undefined : 'DATE';
  if (isAddress(context) && addressParts.has(key)) return 'GEO';
  if (isHumanName(context) && nameParts.has(key)) return 'NAME';
  if (key === 'value' && parentKey === 'telecom') return contactOf(value, read(text, parent, 'system')).type;
  if (key === 'value' && isIdentifier(context)) return typeOfIdentifier(text, parent);
  if (key === 'id' && read(text, parent, 'resourceType') !== undefined) return 'OTHER_ID';
  if (key === 'reference' || key === 'fullUrl') return isLocal(value) ? 'OTHER_ID' : undefined;
  if (key === 'data' || key === 'hash') return parentKey === 'photo' || (read(text, parent, 'contentType') ?? '').startsWith('image/') ? 'PHOTO' : 'OTHER_ID';
  if (key === 'display') return typeOfDisplay(text, parent, parentKey);
  if (key === 'name' && places.has(resource)) return 'GEO';
  if (key === 'authorString') return 'NAME';
  if (key === 'url' && parentKey === 'photo') return 'URL';
  return typeOfOther(text, context);
}

function typeOfOther(text: string, { key, parent, extension }: Context): Category | 'prose' | undefined {
  if (/mothersMaidenName$/.test(extension) && key.startsWith('value')) return 'NAME';
  if (key === 'serialNumber' || key === 'lotNumber' || key === 'carrierHRF' || key === 'carrierAIDC' || key === 'deviceIdentifier') return 'DEVICE';
  if (key === 'subscriberId') return 'HEALTH_PLAN';
  // What another maker adds is nobody's to know, so it goes.
  if (extension !== '' && !/^https?:\/\/(?:[\w-]+\.)*hl7\.org\/fhir\//.test(extension) && /^value(?:String|Id|Uri|Url|Oid|Uuid|Markdown)$/.test(key))
    return 'OTHER_ID';
  if (bound.has(key) || /^value(?:Code|Uri|Canonical|Oid)$/.test(key)) return undefined;
  if (/[a-z](?:Maiden)?Name$|[Mm]aiden$/.test(key) && !/^(?:device|brand|generic|display|file|product|trade)Name$/.test(key)) return 'NAME';
  return read(text, parent, 'system') !== undefined && key === 'userSelected' ? undefined : 'prose';
}

function typeOfNumber(text: string, value: string, { key, parent, parentKey, extension }: Context): Category | undefined {
  const url = read(text, parent, 'url') ?? '';
  if (/^(?:latitude|longitude|altitude)$/.test(key) || /^(?:latitude|longitude)$/.test(url) || /geolocation$/.test(extension)) return 'GEO';
  return key === 'value' && ageKeys.test(parentKey) && Number(value) > 89 ? 'DATE' : undefined;
}

function typeOfIdentifier(text: string, parent: JsonNode): Category {
  const coding = parent.byKey.get('type')?.byKey.get('coding')?.members[0]?.node;
  return identifierType(coding === undefined ? undefined : read(text, coding, 'code'), read(text, parent, 'system'));
}

/** Of a coding it is the meaning of a code; of a reference it is who is meant. */
function typeOfDisplay(text: string, parent: JsonNode, parentKey: string): Category | 'prose' {
  if (read(text, parent, 'code') !== undefined || read(text, parent, 'system') !== undefined) return 'prose';
  const target = read(text, parent, 'reference') ?? read(text, parent, 'type') ?? '';
  if (/^(?:Medication|Condition|Observation|Procedure|Substance|Specimen|Device|Questionnaire|PlanDefinition)/.test(target)) return 'prose';
  return placeReferences.has(parentKey) || [...places].some((place) => target.startsWith(place)) ? 'GEO' : 'NAME';
}

function isAddress({ parentKey }: Context): boolean {
  return /^(?:address|valueAddress|birthPlace)$/.test(parentKey);
}

function isHumanName({ parentKey }: Context): boolean {
  return /^(?:name|valueHumanName)$/.test(parentKey);
}

function isIdentifier({ parentKey }: Context): boolean {
  return /identifier$/i.test(parentKey);
}

/** A reference to a resource here, and no address of a definition. */
function isLocal(value: string): boolean {
  return /^(?:urn:uuid:|#|[A-Z][A-Za-z]+\/)|\/[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}$/.test(value);
}

/** A string of an object. */
export function read(text: string, node: JsonNode, key: string): string | undefined {
  const found = node.byKey.get(key);
  return found?.kind === 'string' ? text.slice(found.start + 1, found.end - 1) : undefined;
}
