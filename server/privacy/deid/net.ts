/**
 * Owns addresses of networks: e-mail, URLs, IP and MAC addresses. They are found from the mark that no other text has (`@`, `://`, dots between numbers,
 * colons between hexadecimal digits) and read outwards a bounded way. Refuses addresses of standards, which stand in every machine-made record.
 */
import { type Scan, Sure } from './scan.ts';

/** Longest part of an address in tokens, so that no text makes the reading long. */
const reach = 64;
/** Longest path of a URL in tokens. */
const longest = 400;

export function findNetworkAddresses(scan: Scan): void {
  for (let index = 0; index < scan.count; index++) {
    const mark = scan.at(index);
    if (mark === '@') findEmail(scan, index);
    else if (mark === ':' && scan.at(index + 1) === '/' && scan.at(index + 2) === '/') findUrl(scan, index);
    else if (mark === '.') findBareHost(scan, index);
    else if (mark === ':') findColons(scan, index);
    if (scan.isNumber(index)) findIpv4(scan, index);
  }
}

const isPart = (scan: Scan, index: number): boolean => scan.isWord(index) || scan.isNumber(index);

function findEmail(scan: Scan, at: number): void {
  let start = at;
  while (start > Math.max(0, at - reach) && scan.isJoined(start) && (isPart(scan, start - 1) || /^[-._+%']$/.test(scan.at(start - 1)))) start -= 1;
  while (start < at && !isPart(scan, start)) start += 1;
  const end = scan.isJoined(at + 1) ? endOfHost(scan, at + 1) : at;
  if (start < at && end > at + 1) scan.take(start, end, 'EMAIL', Sure.format);
}

/** Labels with dots between, and hyphens inside of them. */
function endOfHost(scan: Scan, start: number): number {
  let end = start;
  for (let at = start; at < start + reach && at < scan.count && (at === start || scan.isJoined(at)); at++) {
    if (isPart(scan, at)) end = at + 1;
    else if (!/^[-.]$/.test(scan.at(at)) || !isPart(scan, at + 1)) break;
  }
  return end;
}

/** Hosts whose URLs are names of terminologies and profiles, not addresses of anybody. */
const standards: ReadonlySet<string> = new Set(
  'hl7.org loinc.org snomed.info unitsofmeasure.org w3.org nih.gov cdc.gov ama-assn.org ihe.net who.int iso.org ietf.org dicom.nema.org fhir.org'.split(' '),
);

function findUrl(scan: Scan, colon: number): void {
  if (!scan.isWord(colon - 1) || scan.isTaken(colon)) return;
  const end = endOfPath(scan, endOfHost(scan, colon + 3));
  const host = scan.tokens.text.slice(scan.tokens.starts[colon + 3] ?? 0, scan.tokens.ends[endOfHost(scan, colon + 3) - 1] ?? 0).toLowerCase();
  if (isStandard(host)) return;
  if (end > colon + 3) scan.take(colon - 1, end, 'URL', Sure.format);
}

function isStandard(host: string): boolean {
  return standards.has(host) || [...standards].some((known) => host.endsWith(`.${known}`));
}

/** Everything up to white space, quotes and angle brackets, without the punctuation at its end. */
function endOfPath(scan: Scan, start: number): number {
  let end = start;
  for (let at = start; at < Math.min(scan.count, start + longest) && scan.isJoined(at) && !/^["'<>`\\)\]}]$/.test(scan.at(at)); at++)
    if (isPart(scan, at) || /^[/=#%_~]$/.test(scan.at(at))) end = at + 1;
  return end;
}

/** Ends of host names that are no words: `mild.In` is the end of a sentence. */
const topLevels: ReadonlySet<string> = new Set(
  'com org net edu gov mil info biz io dev app health care clinic hospital doctor eu uk ca de fr es it nl se dk fi pl cz hu ro ru ch au nz jp cn br mx ar cl pe pt gr tr ua ie za kr tw hk sg ph vn th si sk hr rs lt lv ee bg cat co us tv cc ai me'.split(
    ' ',
  ),
);
const openTopLevels: ReadonlySet<string> = new Set('com org net edu gov mil info io dev hu pl cz br mx eu uk de fr nl dk jp cn'.split(' '));

/** `www.example.org/path` and `example.com`. */
function findBareHost(scan: Scan, dot: number): void {
  if (!scan.isJoined(dot) || !scan.isJoined(dot + 1) || !scan.isWord(dot + 1) || !isPart(scan, dot - 1) || scan.isTaken(dot)) return;
  if (scan.at(dot - 2) === '.' && scan.isJoined(dot - 1)) return;
  let start = dot - 1;
  while (start > Math.max(0, dot - reach) && scan.isJoined(start) && (isPart(scan, start - 1) || /^[-.]$/.test(scan.at(start - 1)))) start -= 1;
  if (scan.at(start - 1) === '@' || scan.at(start - 1) === '/' || !isPart(scan, start)) return;
  const end = endOfHost(scan, start);
  const top = scan.at(end - 1);
  const isWww = scan.at(start) === 'www' && end - start > 3;
  const hasPath = scan.at(end) === '/' && scan.isJoined(end) && topLevels.has(top);
  const isBare = openTopLevels.has(top) && !scan.isCapital(end - 1) && scan.length(end - 3) > 1 && scan.isWord(end - 3);
  const host = scan.tokens.text.slice(scan.tokens.starts[start]!, scan.tokens.ends[end - 1]!).toLowerCase();
  if ((isWww || hasPath || isBare) && !isStandard(host)) scan.take(start, endOfPath(scan, end), 'URL', Sure.format);
}

function findIpv4(scan: Scan, start: number): void {
  if (scan.isJoined(start) && /^[.\d]/.test(scan.at(start - 1))) return;
  for (let part = 0; part < 4; part++) {
    const at = start + part * 2;
    if (!scan.isNumber(at) || scan.length(at) > 3 || Number(scan.at(at)) > 255 || (part > 0 && !scan.isJoined(at))) return;
    if (part < 3 && (scan.at(at + 1) !== '.' || !scan.isJoined(at + 1))) return;
  }
  const end = start + 7;
  if (scan.at(end) === '.' && scan.isJoined(end) && scan.isNumber(end + 1)) return;
  scan.take(start, end, 'IP', Sure.format);
}

/** IPv6 and MAC: hexadecimal groups between colons, at least three of them or a double colon. */
function findColons(scan: Scan, colon: number): void {
  // The first colon of a run reads all of it.
  if (scan.isTaken(colon) || (scan.at(colon - 2) === ':' && scan.isJoined(colon) && scan.isJoined(colon - 1))) return;
  let start = colon;
  while (start > Math.max(0, colon - 4) && scan.isJoined(start) && isHexadecimal(scan, start - 1)) start -= 1;
  let [end, colons, groups] = [start, 0, 0];
  let text = '';
  for (let at = start; at < Math.min(start + reach, scan.count) && (at === start || scan.isJoined(at)); at++) {
    const isColon = scan.at(at) === ':' || (scan.at(at) === '.' && scan.isNumber(at + 1));
    if (!isColon && !isHexadecimal(scan, at)) break;
    if (isColon) colons += 1;
    text += scan.at(at);
    end = at + 1;
  }
  groups = text.split(':').filter((group) => group !== '').length;
  if (text.endsWith(':') && !text.endsWith('::')) {
    text = text.slice(0, -1);
    end -= 1;
  }
  if (/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text)) scan.take(start, end, 'DEVICE', Sure.format);
  else if (colons >= 2 && groups >= 2 && text.split(':').every((group) => group.length <= 4 || group.includes('.')) && (text.includes('::') || groups === 8))
    scan.take(start, end, 'IP', Sure.format);
}

function isHexadecimal(scan: Scan, index: number): boolean {
  return scan.length(index) <= 4 && /^[0-9a-f]+$/.test(scan.at(index));
}
