/**
 * Owns a reader of XML that keeps places: tags, texts and attributes from left to right. Refuses to check that tags match, to follow
 * entities or to read a document type: none of it is needed to find where values stand.
 */
export interface XmlAttribute {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface XmlHandler {
  /** Local name, without a prefix. */
  open(name: string, attributes: readonly XmlAttribute[], prefix: string): void;
  close(name: string): void;
  /** Between tags, of CDATA and of comments. */
  text(start: number, end: number): void;
  /** Whether to stop here. */
  readonly isDone: boolean;
}

const tag = /<(\/?)(?:([\w.-]{1,64}):)?([\w.-]{1,128})/y;
const attribute = /\s+([\w.:-]{1,128})\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const tagEnd = /\s*(\/?)>/y;

/** Gives where it stopped. */
export function readXml(text: string, start: number, handler: XmlHandler): number {
  let at = start;
  while (at < text.length && !handler.isDone) {
    const open = text.indexOf('<', at);
    const end = open < 0 ? text.length : open;
    if (end > at) handler.text(at, end);
    if (open < 0) return end;
    at = readMarkup(text, open, handler);
  }
  return at;
}

/** Comments and CDATA are texts; instructions are passed over; a bracket that begins nothing is text. */
function readMarkup(text: string, at: number, handler: XmlHandler): number {
  for (const [begin, end, isText] of [['<!--', '-->', true] as const, ['<![CDATA[', ']]>', true] as const, ['<?', '?>', false] as const]) {
    if (!text.startsWith(begin, at)) continue;
    const found = text.indexOf(end, at + begin.length);
    const stop = found < 0 ? text.length : found;
    if (isText) handler.text(at + begin.length, stop);
    return Math.min(text.length, stop + end.length);
  }
  return readTag(text, at, handler);
}

function readTag(text: string, at: number, handler: XmlHandler): number {
  tag.lastIndex = at;
  const [head, slash, prefix = '', name = ''] = tag.exec(text) ?? [];
  if (head === undefined) return at + 1;
  const attributes: XmlAttribute[] = [];
  attribute.lastIndex = at + head.length;
  let end = attribute.lastIndex;
  for (let found = attribute.exec(text); found !== null; found = attribute.exec(text)) {
    end = attribute.lastIndex;
    const value = found[2] ?? found[3] ?? '';
    attributes.push({ name: found[1] ?? '', start: end - 1 - value.length, end: end - 1 });
  }
  tagEnd.lastIndex = end;
  const [closing, isEmpty] = tagEnd.exec(text) ?? [];
  if (slash === '/') handler.close(name);
  else {
    handler.open(name, attributes, prefix);
    if (isEmpty === '/') handler.close(name);
  }
  return end + (closing?.length ?? 0);
}
