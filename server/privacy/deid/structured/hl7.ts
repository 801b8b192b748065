/**
 * Owns HL7 v2 messages within a text: segments on lines, fields by number, with the message's own separators. Identifiers by the
 * table of segments, dates by their form, everything in segments of makers (Z..), and prose. Refuses to change a separator.
 */
import type { Category } from '../types.ts';
import { cut, type Document, DocumentWriter, type Part } from './document.ts';
import { type FieldRule, hl7Rule } from './hl7-table.ts';
import { contactOf, identifierType, isPackedDate } from './kinds.ts';

interface Separators {
  readonly field: string;
  readonly component: string;
  readonly repetition: string;
  readonly sub: string;
}

const segmentLine = /[A-Z][A-Z0-9]{2}(?=[^A-Za-z0-9\s])[^\r\n]*/y;

export function readHl7Document(text: string, start: number): { readonly document: Document | undefined; readonly end: number } {
  const separators = readSeparators(text, start);
  const writer = new DocumentWriter();
  let end = start;
  let count = 0;
  for (let at = start; ; ) {
    segmentLine.lastIndex = at;
    const [line] = segmentLine.exec(text) ?? [];
    if (line === undefined || line[3] !== separators.field) break;
    new Segment(text, at, line, separators, writer).judge();
    end = at + line.length;
    count += 1;
    at = end;
    while (text[at] === '\r' || text[at] === '\n') at += 1;
  }
  // A line of a table may begin so too: two separators are fewest.
  const isMessage = count > 0 && text.slice(start, end).split(separators.field, 4).length > 3;
  return { document: isMessage ? writer.finish(start, end) : undefined, end: Math.max(end, start + 3) };
}

function readSeparators(text: string, start: number): Separators {
  const field = text[start + 3] ?? '|';
  const [component = '^', repetition = '~', , sub = '&'] = text.startsWith('MSH', start) ? text.slice(start + 4, start + 8) : '^~\\&';
  return { field, component, repetition, sub };
}

class Segment {
  readonly #text: string;
  readonly #name: string;
  readonly #fields: readonly Part[];
  readonly #separators: Separators;
  readonly #writer: DocumentWriter;

  constructor(text: string, start: number, line: string, separators: Separators, writer: DocumentWriter) {
    this.#text = text;
    this.#name = line.slice(0, 3);
    this.#separators = separators;
    this.#writer = writer;
    this.#fields = cut(text, { start: start + 4, end: start + line.length }, separators.field);
  }

  judge(): void {
    // The first separator of MSH is its field 1.
    const first = this.#name === 'MSH' ? 2 : 1;
    for (const [index, field] of this.#fields.entries())
      for (const repetition of cut(this.#text, field, this.#separators.repetition)) this.#judgeField(index + first, repetition);
  }

  #judgeField(number: number, part: Part): void {
    const components = cut(this.#text, part, this.#separators.component);
    if (this.#name === 'OBX' && number === 5) this.#judgeObservation(part, components);
    else if (this.#name.startsWith('Z')) for (const component of components) this.#addIfLong(component);
    else this.#apply(hl7Rule(this.#name, number), part, components);
  }

  /** The type of the value stands in OBX-2. */
  #judgeObservation(part: Part, components: readonly Part[]): void {
    const field = this.#fields[1];
    const type = field === undefined ? '' : this.#text.slice(field.start, field.end);
    if (/^(?:DT|TS|DTM|DR)$/.test(type)) this.#apply('DATE', part, components);
    else if (/^(?:XPN|XCN|PN|CN)$/.test(type)) this.#apply(type.endsWith('CN') ? 'person' : 'name', part, components);
    else if (/^(?:XAD|AD)$/.test(type)) this.#apply('address', part, components);
    else if (/^(?:XTN|TN)$/.test(type)) this.#apply('contact', part, components);
    else if (/^(?:CX|CK)$/.test(type)) this.#apply('ids', part, components);
    else if (type === 'ED') this.#apply('OTHER_ID', part, components.slice(-1));
    else if (!/^(?:NM|SN|TM|SI)$/.test(type)) this.#apply('prose', part, components);
  }

  #apply(rule: FieldRule | undefined, part: Part, components: readonly Part[]): void {
    if (rule === 'prose') this.#addProse(part);
    else if (rule === 'name') this.#addAll(components.slice(0, 6), 'NAME');
    else if (rule === 'person') this.#addPerson(components);
    else if (rule === 'address') this.#addAddress(components);
    else if (rule === 'ids') this.#addIds(components);
    else if (rule === 'contact') this.#addContact(components);
    else if (rule !== 'keep' && rule !== undefined) this.#addAll(components, rule);
    else if (rule === undefined || components.some((component) => this.#isDate(component))) this.#judgeUnlisted(components);
  }

  /** Dates by their form; words are prose. */
  #judgeUnlisted(components: readonly Part[]): void {
    for (const component of components) {
      if (this.#isDate(component)) this.#writer.addField(this.#text, component.start, component.end, 'DATE');
      else if (/\p{L}{2}/u.test(this.#text.slice(component.start, component.end))) this.#addProse(component);
    }
  }

  /** XCN: the number of who it is, then names; in NDL both are parts of the first component. */
  #addPerson([id, ...components]: readonly Part[]): void {
    if (id === undefined) return;
    const parts = cut(this.#text, id, this.#separators.sub);
    this.#addAll(parts.slice(0, 1), 'OTHER_ID');
    this.#addAll(parts.slice(1), 'NAME');
    this.#judgeDates(components);
    this.#addAll(
      components.slice(0, 4).filter((component) => !this.#isDate(component)),
      'NAME',
    );
  }

  #addAddress(components: readonly Part[]): void {
    // 4 is the state, 6 the country, 7 the kind.
    this.#addAll(
      components.filter((_, index) => ![3, 5, 6].includes(index)),
      'GEO',
    );
  }

  #addIds([id, ...components]: readonly Part[]): void {
    if (id === undefined) return;
    const [kind, authority] = [components[3], components[2]].map((part) => (part === undefined ? undefined : this.#text.slice(part.start, part.end)));
    this.#writer.addField(this.#text, id.start, id.end, identifierType(kind, authority));
    this.#judgeDates(components);
  }

  #addContact(components: readonly Part[]): void {
    for (const { start, end } of components) {
      const value = this.#text.slice(start, end);
      if (/\d{3}|@/.test(value)) this.#writer.addField(this.#text, start, end, contactOf(value).type);
    }
  }

  #judgeDates(components: readonly Part[]): void {
    for (const component of components) if (this.#isDate(component)) this.#writer.addField(this.#text, component.start, component.end, 'DATE');
  }

  #addAll(parts: readonly Part[], type: Category): void {
    for (const part of parts)
      for (const { start, end } of cut(this.#text, part, this.#separators.sub))
        this.#writer.addField(this.#text, start, end, this.#isDate({ start, end }) ? 'DATE' : type);
  }

  /** What a maker's field of one or two signs says is a code. */
  #addIfLong({ start, end }: Part): void {
    if (end - start > 2) this.#writer.addField(this.#text, start, end, this.#isDate({ start, end }) ? 'DATE' : 'OTHER_ID');
  }

  #addProse({ start, end }: Part): void {
    this.#writer.addProse(start, end);
  }

  #isDate({ start, end }: Part): boolean {
    return end - start >= 8 && end - start <= 24 && isPackedDate(this.#text.slice(start, end));
  }
}
