/**
 * Owns NCPDP Telecommunication (D.0) messages within a text: a head of fixed width, then fields that begin with two signs of a
 * code, between control signs. Refuses to change widths of the head and codes; a field that it does not know is an identifier if it
 * has four signs and a letter among them.
 */
import { categoryByWord } from '../words.ts';
import { type Document, DocumentWriter } from './document.ts';
import { isPackedDate } from './kinds.ts';

/** Place of the date of service in the head, after BIN, version, transaction, PCN, count, qualifier and the pharmacy's number. */
const [dateStart, headLength] = [38, 56];

const types = categoryByWord({
  NAME: 'CA CB CC CD DR 2J 4E CF CE BY A8 SB SC',
  GEO: 'CM CN CP CG CH CI CK 2K 2M 2P 7A 8S',
  DATE: 'C4 E8 CV CU DE D1',
  PHONE: 'CQ CL PM CJ B5',
  EMAIL: 'HN',
  HEALTH_PLAN: 'C2 C1 2A N5 N6 NU MJ HB A2 CR',
  OTHER_ID: 'CY CW EN EF D2 EM CZ A5 9Y',
  LICENSE: 'DB DL 4C2 E9 2F',
});
/** Codes, amounts and texts of tables; numbers of drugs and plans. */
const kept = new Set(
  'C3 C5 C6 C7 C8 C9 CO 2C EZ E1 E2 E3 E4 E5 E6 E7 D3 D5 D6 D7 D8 D9 DC DF DI DJ DK DN DQ DT DU DV DX DW DY DZ 4C 5C 6C 7C 6E HC HD UE TE RE SE EK ER ET EV EW EU EX EY MY NX AM'.split(
    ' ',
  ),
);
const proseFields = new Set(['FY', 'FQ', 'UH', 'TS', 'PY']);

export function readNcpdpDocument(text: string, start: number): { readonly document: Document | undefined; readonly end: number } {
  // The first segment may follow the head without a sign.
  const body = start + headLength + (/^AM\d\d/.test(text.slice(start + headLength, start + headLength + 4)) ? 4 : 0);
  if (!isSign(text, body)) return { document: undefined, end: start + 6 };
  const writer = new DocumentWriter();
  if (isPackedDate(text.slice(start + dateStart, start + dateStart + 8))) writer.addField(text, start + dateStart, start + dateStart + 8, 'DATE', 'fixed');
  let end = body;
  while (isSign(text, end)) {
    const from = end + 1;
    end = from;
    while (end < text.length && !isSign(text, end) && text[end] !== '\n' && text[end] !== '\r') end += 1;
    judge(text, from, end, writer);
  }
  return { document: writer.finish(start, end), end };
}

/** Of a field, group or segment. */
function isSign(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0x1c && unit <= 0x1e;
}

function judge(text: string, start: number, end: number, writer: DocumentWriter): void {
  const [code, value] = [text.slice(start, start + 2), text.slice(start + 2, end)];
  const type = types.get(code);
  if (type !== undefined) writer.addField(text, start + 2, end, type);
  else if (proseFields.has(code)) writer.addProse(start + 2, end);
  else if (isPackedDate(value) && !kept.has(code)) writer.addField(text, start + 2, end, 'DATE');
  else if (!kept.has(code) && value.length >= 4 && /\p{L}/u.test(value)) writer.addField(text, start + 2, end, 'OTHER_ID');
}
