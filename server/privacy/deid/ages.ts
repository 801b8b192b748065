/**
 * Owns ages of 90 and over, and years of birth that show one: Safe Harbor puts them in one class, "90 or older". Younger ages stay.
 */
import { type Scan, Sure } from './scan.ts';
import { Gap } from './tokens.ts';

/** No one is known to have grown older than 122. */
const oldest = 125;

export function findAges(scan: Scan): void {
  for (const index of scan.numbers) {
    if (scan.length(index) > 4) continue;
    if (isClass(scan, index)) continue;
    const value = Number(scan.at(index));
    if (value >= 90 && value <= oldest && isAge(scan, index)) scan.take(index, index + 1, 'DATE', Sure.context);
    else if (scan.length(index) === 4 && value <= scan.year - 90 && value >= scan.year - oldest && isBirth(scan, index))
      scan.take(index, index + 1, 'DATE', Sure.context);
  }
}

/** `90+` and `1936 or earlier` are what the rule asks for in place of an age or a year. */
function isClass(scan: Scan, index: number): boolean {
  return (
    (scan.at(index) === '90' && scan.at(index + 1) === '+' && scan.isJoined(index + 1)) || (scan.at(index + 1) === 'or' && scan.at(index + 2) === 'earlier')
  );
}

function isAge(scan: Scan, index: number): boolean {
  if (scan.isJoined(index) && /^[-./:<>=~]$/.test(scan.at(index - 1)) && scan.isNumber(index - 2)) return false;
  if (scan.at(index + 1) === '.' && scan.isJoined(index + 1) && scan.isNumber(index + 2) && scan.isJoined(index + 2)) return false;
  return isAgeAfter(scan, index + 1) || isAgeBefore(scan, index - 1);
}

/** `-year-old`, `yo`, `y/o`, `years old`, `yr old`, `F`, `años`. */
function isAgeAfter(scan: Scan, start: number): boolean {
  let at = start;
  if (scan.at(at) === '-' || scan.at(at) === '+') at += 1;
  if (scan.gap(at) > Gap.space) return false;
  const word = scan.at(at);
  if (/^(?:yo|yof|yom|yowf|yowm|yobf|yobm|yoa|anos)$/.test(word)) return true;
  if (word === 'y' && scan.at(at + 1) === '/' && scan.at(at + 2) === 'o') return true;
  if (word === 'y' && scan.at(at + 1) === '.' && scan.at(at + 2) === 'o') return true;
  if (!/^(?:years?|yrs?|y)$/.test(word)) return false;
  at += 1;
  while (/^[-.]$/.test(scan.at(at))) at += 1;
  return /^(?:old|o|of|young)$/.test(scan.at(at));
}

/** `age 94`, `aged 94`, `Age: 94`, `turned 94`, `edad`. */
function isAgeBefore(scan: Scan, end: number): boolean {
  let at = end;
  while (at >= end - 3 && /^(?::|=|is|was|of|-|now)$/.test(scan.at(at))) at -= 1;
  return /^(?:age|aged|ages|turned|turning|edad|nonagenarian|centenarian)$/.test(scan.at(at)) && scan.gap(at + 1) <= Gap.space;
}

/** `born 1934`, `born in 1934`, `b. 1934`, `DOB 1934`, `year of birth: 1934`. */
function isBirth(scan: Scan, index: number): boolean {
  let at = index - 1;
  while (at >= index - 4 && /^(?::|in|circa|about|around|the|year|en|ano|=|-|\.|\(|of|el|is|was)$/.test(scan.at(at))) at -= 1;
  return /^(?:born|b|dob|birth|birthyear|yob|birthdate|nacido|nacida|nacio|nacimiento)$/.test(scan.at(at));
}
