/**
 * Owns JSON within a text: FHIR resources by their standard, other objects by the names of their keys. Refuses brackets without a key
 * behind them: prose has those.
 */
import { categoryByWord, recordKeys } from '../words.ts';
import { type Document, DocumentWriter } from './document.ts';
import { judgeFhirValue, read } from './fhir.ts';
import { proseOf, toWords } from './json-prose.ts';
import { type JsonNode, readJson } from './json-tree.ts';

/** Where it begins at an opening bracket; `end` is where to go on in any case. */
export function readJsonDocument(text: string, start: number): { readonly document: Document | undefined; readonly end: number } {
  const { root, end, hasKeys } = readJson(text, start);
  if (!hasKeys) return { document: undefined, end };
  const writer = new DocumentWriter();
  new Walker(text, writer).walk(root, '', { owner: root, ownerKey: '', resource: '', extension: '' });
  return { document: writer.finish(start, end), end };
}

interface Place {
  /** The nearest object, and its key; elements of arrays have their array's. */
  readonly owner: JsonNode;
  readonly ownerKey: string;
  readonly resource: string;
  readonly extension: string;
}

class Walker {
  readonly #text: string;
  readonly #writer: DocumentWriter;

  constructor(text: string, writer: DocumentWriter) {
    this.#text = text;
    this.#writer = writer;
  }

  /** As deep as the reader goes, which is bounded. */
  walk(node: JsonNode, key: string, place: Place): void {
    const inside = node.kind === 'object' ? this.#enter(node, key, place) : place;
    for (const member of node.members) {
      const name = node.kind === 'object' ? member.key : key;
      if (member.node.kind === 'object' || member.node.kind === 'array') this.walk(member.node, name, inside);
      else if (member.node.kind !== 'word') this.#judge(member.node, name, inside);
    }
  }

  #enter(node: JsonNode, key: string, place: Place): Place {
    const resource = read(this.#text, node, 'resourceType') ?? place.resource;
    const url = /^(?:modifierE|e)xtension$/.test(key) ? read(this.#text, node, 'url') : undefined;
    return { owner: node, ownerKey: key, resource, extension: url?.includes('/') === true ? url : place.extension };
  }

  #judge(node: JsonNode, key: string, { owner, ownerKey, resource, extension }: Place): void {
    if (resource === '') this.#judgePlain(node, key);
    else judgeFhirValue(this.#text, node, { key, parent: owner, parentKey: ownerKey, resource, extension }, this.#writer);
  }

  #judgePlain({ kind, start, end }: JsonNode, key: string): void {
    const [from, to] = kind === 'string' ? [start + 1, end - 1] : [start, end];
    const type = plainKeys.get(toWords(key).replaceAll(' ', '').toLowerCase());
    if (type !== undefined) this.#writer.addField(this.#text, from, to, type, kind === 'number' ? 'number' : undefined);
    else if (kind === 'string') this.#writer.prose.push(proseOf(this.#text, from, to, key));
  }
}

/** Of whole objects only: in a piece of one they are words as well (`"account": "savings"`). */
const plainKeys = categoryByWord(recordKeys, {
  NAME: 'preferredname mothersmaidenname emergencycontactname',
  GEO: 'address addressline1 addressline2',
  DATE: 'birthday dateofdeath admissiondate dischargedate',
  PHONE: 'phone phonenumber telephone mobile mobilephone cell cellphone homephone workphone',
  FAX: 'fax faxnumber',
  EMAIL: 'email emailaddress',
  SSN: 'ssn socialsecuritynumber socialsecurity',
  MRN: 'mrn medicalrecordnumber patientid patientidentifier',
  HEALTH_PLAN: 'memberid subscriberid insuranceid policynumber medicareid medicaidid healthplannumber beneficiaryid',
  ACCOUNT: 'accountnumber account acctnumber',
  LICENSE: 'licensenumber driverslicense driverlicense npi dea deanumber',
  VEHICLE: 'vin licenseplate plate platenumber',
  DEVICE: 'serialnumber deviceid deviceserial',
  IP: 'ip ipaddress',
});
