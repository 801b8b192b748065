/**
 * Owns dates: day, month and year in figures or words, in English and Spanish, and ages over 89 with what shows them (45 CFR 164.514(b)(2)(i)(C)).
 * Leaves years alone, ages under 90, times of day, fractions, doses and scores.
 */
import { months } from './months.ts';
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';
import { Cue, setCue } from './words.ts';

const english = [...months.en, ...'jan feb mar apr jun jul aug sep sept oct nov dec'.split(' ')];
const spanish: ReadonlySet<string> = new Set([...months.es, ...'setiembre ene abr ago dic'.split(' ')]);
const monthWords: ReadonlySet<string> = new Set([...english, ...spanish]);
/** Months that are words or names too: alone they need a day or a year beside them. */
const doubtful: ReadonlySet<string> = new Set(['may', 'march', 'mar', 'jan', 'april', 'june', 'august', 'sep', 'dec', 'ago', 'abr', 'ene', 'dic', 'set']);
const weekdays: ReadonlySet<string> = new Set(
  'monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri lunes martes miercoles jueves viernes sabado domingo'.split(
    ' ',
  ),
);
const holidays: ReadonlySet<string> = new Set('christmas thanksgiving easter halloween hanukkah ramadan juneteenth navidad'.split(' '));

setCue(Cue.time, monthWords, weekdays, holidays);

export function findDates(scan: Scan): void {
  for (let index = 0; index < scan.count; index++) {
    if (scan.isNumber(index)) findFigures(scan, index);
    else if (scan.isCue(index, Cue.time)) {
      const word = scan.at(index);
      if (monthWords.has(word)) findMonth(scan, index);
      else if (weekdays.has(word)) findWeekday(scan, index);
      else if (holidays.has(word) && scan.isCapital(index))
        scan.take(index, scan.at(index + 1) === 'day' || scan.at(index + 1) === 'eve' ? index + 2 : index + 1, 'DATE', Sure.guess);
    }
  }
}

const value = (scan: Scan, index: number): number => Number(scan.at(index));
const isDay = (scan: Scan, index: number): boolean => scan.isNumber(index) && scan.length(index) <= 2 && value(scan, index) >= 1 && value(scan, index) <= 31;
const isMonth = (scan: Scan, index: number): boolean => isDay(scan, index) && value(scan, index) <= 12;
const isYear = (scan: Scan, index: number): boolean =>
  scan.isNumber(index) && scan.length(index) === 4 && value(scan, index) >= 1850 && value(scan, index) <= 2150;
const isShortYear = (scan: Scan, index: number): boolean => scan.isNumber(index) && scan.length(index) === 2;

function isSeparated(scan: Scan, mark: number): boolean {
  return /^[-./]$/.test(scan.at(mark)) && scan.gap(mark) <= Gap.none && scan.gap(mark + 1) <= (scan.at(mark) === '-' ? Gap.line : Gap.none);
}

function findFigures(scan: Scan, start: number): void {
  const before = scan.at(start - 1);
  if (scan.isJoined(start) && /^[-./:]$/.test(before) && scan.isJoined(start - 1) && scan.isNumber(start - 2)) return;
  if (isDayAndMonth(scan, start)) {
    takeDate(scan, start, start + 5);
    return;
  }
  if (isCompact(scan, start)) {
    takeDate(scan, start, start + 1);
    return;
  }
  if (findSpaced(scan, start)) return;
  if (!isSeparated(scan, start + 1) || scan.isTaken(start)) return;
  const isLast = !(/^[-./]$/.test(scan.at(start + 3)) && scan.isJoined(start + 3) && scan.isNumber(start + 4) && scan.isJoined(start + 4));
  if (!isLast) return;
  if (isMonth(scan, start) && isYear(scan, start + 2) && scan.at(start + 1) !== '.') scan.take(start, start + 3, 'DATE', Sure.format);
  else if (isYear(scan, start) && isMonth(scan, start + 2) && scan.length(start + 2) === 2 && scan.at(start + 1) !== '.')
    scan.take(start, start + 3, 'DATE', Sure.format);
  else if (isShortDate(scan, start)) scan.take(start, start + 3, 'DATE', Sure.context);
}

/** Three groups with the same separator, in any order that can be a date. */
function isDayAndMonth(scan: Scan, start: number): boolean {
  const separator = scan.at(start + 1);
  if (!isSeparated(scan, start + 1) || !isSeparated(scan, start + 3) || scan.at(start + 3) !== separator) return false;
  if (isYear(scan, start)) return isMonth(scan, start + 2) && isDay(scan, start + 4);
  const isPair = (isMonth(scan, start) && isDay(scan, start + 2)) || (isDay(scan, start) && isMonth(scan, start + 2));
  return (
    isPair &&
    (isYear(scan, start + 4) ||
      (isShortYear(scan, start + 4) && separator !== '.') ||
      (separator === '.' && isShortYear(scan, start + 4) && scan.length(start) === 2))
  );
}

/** `20240115`, alone or with a time (HL7): a whole date of a plausible year. */
function isCompact(scan: Scan, start: number): boolean {
  const digits = scan.at(start);
  if (![8, 12, 14].includes(digits.length) || !/^(?:19|20)/.test(digits)) return false;
  return /^(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])/.test(digits.slice(4));
}

/** OCR sets spaces around separators: `01 / 15 / 2024`. */
function findSpaced(scan: Scan, start: number): boolean {
  for (const offset of [1, 3]) if (scan.at(start + offset) !== '/' && scan.at(start + offset) !== '-') return false;
  const isPair = (isMonth(scan, start) && isDay(scan, start + 2)) || (isDay(scan, start) && isMonth(scan, start + 2));
  if (!isPair || !isYear(scan, start + 4) || [1, 2, 3, 4].some((offset) => scan.gap(start + offset) > Gap.line)) return false;
  takeDate(scan, start, start + 5);
  return true;
}

const beforeShortDates: ReadonlySet<string> = new Set(
  'on since dated date until till from to through thru by before after dob born seen visit admitted discharged admission discharge day monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun last appt appointment surgery procedure due ending week el del desde hasta fecha dia'.split(
    ' ',
  ),
);
const afterScores: ReadonlySet<string> = new Set(
  'pain on strength motor intensity scale severity in extremity grade murmur systolic positive points score weeks week of days mmhg patients cases women men'.split(
    ' ',
  ),
);

/** Month and day without a year: only where the words around say so, since `5/10` is more often a score. */
function isShortDate(scan: Scan, start: number): boolean {
  if (!isMonth(scan, start) || !isDay(scan, start + 2) || scan.at(start + 1) === '.' || /^[%]$/.test(scan.at(start + 3))) return false;
  const word = scan.at(start - 1) === ':' || scan.at(start - 1) === '(' ? scan.at(start - 2) : scan.at(start - 1);
  const isAnnounced = beforeShortDates.has(word);
  const isPadded = scan.length(start) === 2 && scan.length(start + 2) === 2 && scan.at(start)[0] === '0';
  const isScore = afterScores.has(scan.at(start + 3)) && scan.gap(start + 3) === Gap.space && scan.at(start + 3) !== 'on';
  if (scan.at(start + 1) === '-') return (isAnnounced || isPadded) && !isScore && word !== 'from' && word !== 'to';
  return !isScore && (isPadded || (isAnnounced && value(scan, start + 2) !== 10 && value(scan, start + 2) !== 5));
}

/** With the time of day that follows in machine-made forms: `1993-01-04 14:56:41`, `T10:00:00Z`. */
function takeDate(scan: Scan, start: number, end: number): void {
  let last = end;
  let at = end;
  if ((scan.at(at) === 't' && scan.isJoined(at)) || (scan.at(at) === ',' && scan.isNumber(at + 1))) at += 1;
  if (scan.isNumber(at) && scan.length(at) <= 2 && scan.at(at + 1) === ':' && scan.isNumber(at + 2) && scan.gap(at) <= Gap.space) {
    last = at + 3;
    while (last < end + 14 && scan.isJoined(last) && (scan.isNumber(last) || /^(?:[:.+-]|z)$/.test(scan.at(last)))) last += 1;
    while (/^[:.+-]$/.test(scan.at(last - 1))) last -= 1;
  }
  scan.take(start, last, 'DATE', Sure.format);
}

const ordinals = /^(?:st|nd|rd|th|o|er)$/;

/** A day of the month with its ending: the number of tokens, or 0. */
function dayLength(scan: Scan, index: number): number {
  if (!isDay(scan, index)) return 0;
  return scan.isJoined(index + 1) && ordinals.test(scan.at(index + 1)) ? 2 : 1;
}

function findMonth(scan: Scan, month: number): void {
  let start = month;
  let end = month + 1;
  if (scan.at(end) === '.' && scan.isJoined(end) && scan.length(month) <= 4) end += 1;
  let [hasDay, hasYear] = [false, false];
  // The day before: `22 July`, `22nd of July`, `12 de enero`, `the 3rd of May`, `22-Jul-2024`.
  let before = month - 1;
  if (/^(?:of|de|-|\/|\.)$/.test(scan.at(before))) before -= 1;
  if (ordinals.test(scan.at(before)) && scan.isJoined(before)) before -= 1;
  if (dayLength(scan, before) > 0 && scan.gap(before + 1) <= Gap.line && !(scan.isJoined(before) && /^[./:]$/.test(scan.at(before - 1)))) {
    [start, hasDay] = [before, true];
  }
  let after = end;
  if (!hasDay) {
    while (/^(?:the|-|,|\/)$/.test(scan.at(after)) && scan.gap(after) <= Gap.space && after < end + 2) after += 1;
    const length = dayLength(scan, after);
    const isRange = length > 0 && !isYear(scan, after);
    if (isRange && scan.gap(after) <= Gap.line && !/^[:%]$/.test(scan.at(after + length)) && !isDose(scan, after + length)) {
      hasDay = true;
      end = after + length;
      if (/^(?:-|to|and|through)$/.test(scan.at(end)) && dayLength(scan, end + 1) > 0) end += 1 + dayLength(scan, end + 1);
    }
  }
  let year = end;
  while (/^(?:,|of|de|del|-|\/|')$/.test(scan.at(year)) && year < end + 2 && scan.gap(year) <= Gap.space) year += 1;
  if ((isYear(scan, year) || (isShortYear(scan, year) && (scan.at(year - 1) === "'" || scan.at(year - 1) === '-'))) && scan.gap(year) <= Gap.line)
    [hasYear, end] = [true, year + 1];
  if (hasDay || hasYear) {
    takeDate(scan, start, end);
    return;
  }
  if (isMonthAlone(scan, month)) scan.take(month, month + 1, 'DATE', Sure.context);
}

function isDose(scan: Scan, index: number): boolean {
  return (
    /^(?:mg|mcg|ml|units|x|g)$/.test(scan.at(index)) || (scan.at(index) === '.' && scan.isJoined(index) && scan.isNumber(index + 1) && scan.isJoined(index + 1))
  );
}

/** A month that stands alone counts where a word of time comes before it. */
function isMonthAlone(scan: Scan, month: number): boolean {
  const word = scan.at(month);
  const before = scan.at(month - 1);
  if (spanish.has(word) && word.length > 3) return /^(?:en|de|desde|hasta|a)$/.test(before) && !scan.isCapital(month) && word !== 'mayo' && word !== 'marzo';
  if (!scan.isCapital(month) || scan.length(month) < 3) return false;
  const isTimed = /^(?:in|since|last|this|next|until|till|by|early|late|mid|during|from|through|of)$/.test(before);
  return isTimed && (!doubtful.has(word) || before !== 'by');
}

/** `last Thursday`, `on Monday`, `Tuesday morning`; not the schedule of every week. */
function findWeekday(scan: Scan, index: number): void {
  const isShort = scan.length(index) <= 3;
  if (isShort && !scan.isCapital(index)) return;
  if (/^(?:wed|mon|sat|sun|fri|tue|thu|martes|domingo)$/.test(scan.at(index)) && scan.beginsSentence(index)) return;
  const before = scan.at(index - 1);
  const after = scan.at(index + 1);
  const isRelative = /^(?:last|next|this|past|coming|following|previous|early|late)$/.test(before);
  const isSingle = /^(?:on|since|by|until|til|till|from|for|el|meet|before|after|every)$/.test(before);
  const isPartOfDay = /^(?:morning|afternoon|evening|night|noon|at|am|pm)$/.test(after);
  if (!isRelative && !isSingle && !isPartOfDay) return;
  scan.take(isRelative ? index - 1 : index, index + 1, 'DATE', Sure.context);
}
