/**
 * Owns C-CDA documents within a text: which elements and attributes are identifiers by the standard, which are narrative. Refuses other
 * XML, which stays text for the detector, and to let stand in the head what no standard has there: vendors put names into it.
 */
import type { Category } from '../types.ts';
import { type Document, DocumentWriter } from './document.ts';
import { contactOf, identifierType, isPackedDate } from './kinds.ts';
import { readXml, type XmlAttribute, type XmlHandler } from './xml-tags.ts';

const prologItem = /\s+|<!--(?:[^-]|-[^-]){0,4000}-->|<\?[^>]{0,400}\?>/y;
const rootTag = /<(?:\w{1,32}:)?ClinicalDocument[\s>]/y;

/** All documents of one text, from left to right. */
export class XmlReader {
  readonly #text: string;
  /** Places of prologs that lead to no root of ours: declarations one behind the other would each read all that follow. */
  readonly #rootless = new Set<number>();

  constructor(text: string) {
    this.#text = text;
  }

  read(start: number): { readonly document: Document | undefined; readonly end: number } {
    if (!this.#leadsToRoot(start)) return { document: undefined, end: start + 5 };
    const handler = new ClinicalDocument(this.#text);
    const end = readXml(this.#text, start, handler);
    return { document: handler.writer.finish(start, end), end };
  }

  #leadsToRoot(start: number): boolean {
    for (let at: number | undefined = start; at !== undefined && !this.#rootless.has(at); at = findEnd(prologItem, this.#text, at)) {
      if (findEnd(rootTag, this.#text, at) !== undefined) return true;
      this.#rootless.add(at);
    }
    return false;
  }
}

/** Where what stands at a place ends, by a sticky pattern. */
function findEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

const nameParts = new Set(['given', 'family', 'name']);
const addressParts = new Set(
  'addr streetAddressLine houseNumber houseNumberNumeric streetName streetNameBase streetNameType city county precinct postalCode additionalLocator unitID postBox buildingNumberSuffix censusTract careOf deliveryAddressLine'.split(
    ' ',
  ),
);
const kept = new Set(['state', 'country', 'prefix', 'suffix', 'title', 'softwareName', 'manufacturerModelName', 'delimiter', 'useablePeriod', 'languageCode']);
const narrative = new Set(['text', 'title', 'originalText', 'desc', 'reference']);
const materials = /Material$|Product$|^playing(?:Entity|Device)$|^labeledDrug$/;
const organizations = /Organi[sz]ation$|^(?:place|location|birthplace|healthCareFacility|serviceProviderOrganization)$/;
const withoutIds = new Set(['templateId', 'typeId', 'realmCode']);

class ClinicalDocument implements XmlHandler {
  readonly writer = new DocumentWriter();
  readonly #text: string;
  readonly #open: string[] = [];
  /** How many of the open elements are of each kind. */
  #narratives = 0;
  #bodies = 0;
  #organizations = 0;
  #materials = 0;
  isDone = false;

  constructor(text: string) {
    this.#text = text;
  }

  open(name: string, attributes: readonly XmlAttribute[], prefix: string): void {
    // A name of another space is not the standard's own.
    this.#open.push(prefix === '' || prefix === 'cda' ? name : `${prefix}:${name}`);
    this.#count(name, 1);
    const values = new Map(attributes.map((attribute) => [attribute.name, this.#text.slice(attribute.start, attribute.end)]));
    for (const attribute of attributes) {
      const type = this.#judgeAttribute(name, attribute.name, values);
      const value = values.get(attribute.name) ?? '';
      const skip = name === 'telecom' ? contactOf(value).skip : 0;
      if (type !== undefined) this.writer.addField(this.#text, attribute.start + skip, attribute.end, type);
    }
  }

  close(name: string): void {
    if (this.#open.length === 0) return;
    const last = this.#open.pop() as string;
    this.#count(last.slice(last.indexOf(':') + 1), -1);
    this.isDone = name === 'ClinicalDocument';
  }

  text(start: number, end: number): void {
    const value = this.#text.slice(start, end);
    if (!/[\p{L}\p{N}]/u.test(value)) return;
    const [from, to] = [start + value.search(/\S/), start + value.trimEnd().length];
    const type = this.#judgeText(this.#open.at(-1) ?? '', value.trim());
    if (type === 'prose') this.writer.addProse(from, to);
    else if (type !== undefined) this.writer.addField(this.#text, from, to, type);
  }

  #count(name: string, step: number): void {
    if (narrative.has(name)) this.#narratives += step;
    if (name === 'structuredBody' || name === 'nonXMLBody') this.#bodies += step;
    if (organizations.test(name)) this.#organizations += step;
    if (materials.test(name)) this.#materials += step;
  }

  #judgeText(name: string, value: string): Category | 'prose' | undefined {
    if (this.#narratives > 0 || this.#materials > 0) return 'prose';
    if (addressParts.has(name)) return 'GEO';
    if (nameParts.has(name)) return this.#organizations > 0 ? 'GEO' : 'NAME';
    if (kept.has(name) || name === '') return name === '' ? 'prose' : undefined;
    if (/^[A-Za-z0-9+/=\s]{200,}$/.test(value)) return 'OTHER_ID';
    return this.#bodies > 0 || name === 'ClinicalDocument' ? 'prose' : 'OTHER_ID';
  }

  #judgeAttribute(name: string, attribute: string, values: ReadonlyMap<string, string>): Category | undefined {
    const value = values.get(attribute) ?? '';
    if (name === 'telecom') return attribute === 'value' ? contactOf(value).type : undefined;
    if (attribute === 'extension') return withoutIds.has(name) ? undefined : this.#judgeId(values.get('root'));
    if (attribute === 'root' && !withoutIds.has(name)) return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value) ? 'OTHER_ID' : undefined;
    return attribute === 'value' && !values.has('unit') && isPackedDate(value) ? 'DATE' : undefined;
  }

  #judgeId(root: string | undefined): Category {
    const type = identifierType(undefined, root);
    return type === 'OTHER_ID' && this.#open.at(-2) === 'patientRole' ? 'MRN' : type;
  }
}
