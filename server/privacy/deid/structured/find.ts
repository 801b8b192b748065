/**
 * Owns which messages a text has in it, whole or between words, by how they begin. Refuses to look at a place twice: each reader says
 * where to go on.
 */
import type { Document } from './document.ts';
import { readHl7Document } from './hl7.ts';
import { readJsonDocument } from './json.ts';
import { readNcpdpDocument } from './ncpdp.ts';
import { X12Reader } from './x12.ts';
import { XmlReader } from './xml.ts';

type Reader = (start: number) => { readonly document: Document | undefined; readonly end: number };

/** How each begins; the sticky group that matched says whose reader it is. */
const beginnings =
  /(?<json>[{[])|(?<xml><\?xml|<ClinicalDocument)|(?<hl7>MSH(?=\|\^~\\&)|(?<![^\r\n\v])(?:(?:MSH|FHS|BHS)(?=[^A-Za-z0-9\s])|(?:PID|PV1|NK1|OBX|OBR|ORC|IN1|GT1)(?=\|)))|(?<x12>(?<![A-Za-z0-9])(?:ISA(?=[^A-Za-z0-9\s])|ST(?=\*\d{3}\*)))|(?<ncpdp>\d{6}[D35][0123]B[123])/g;

/** In order, without overlaps. */
export function findDocuments(text: string): Document[] {
  const documents: Document[] = [];
  const readers = createReaders(text);
  const pattern = new RegExp(beginnings);
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    const name = Object.entries(found.groups ?? {}).find(([, group]) => group !== undefined)?.[0] ?? '';
    const { document, end } = readers[name]?.(found.index) ?? { document: undefined, end: found.index };
    if (document !== undefined) documents.push(document);
    pattern.lastIndex = Math.max(end, found.index + 1);
  }
  return documents;
}

/** Some remember of the text where no message is, so that they do not look there again. */
function createReaders(text: string): Readonly<Record<string, Reader>> {
  const [xml, x12] = [new XmlReader(text), new X12Reader(text)];
  return {
    json: (start) => readJsonDocument(text, start),
    xml: (start) => xml.read(start),
    hl7: (start) => readHl7Document(text, start),
    x12: (start) => x12.read(start),
    ncpdp: (start) => readNcpdpDocument(text, start),
  };
}
