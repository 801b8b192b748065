/**
 * Owns the check digits that numbers of this field have: Luhn of cards and member numbers, Luhn with the prefix 80840 of National
 * Provider Identifiers. Refuses to judge whether a number was given to anybody.
 */
/** ISO/IEC 7812-1, annex B: whether the digits, with the last as check digit, add up. */
export function hasLuhn(digits: string): boolean {
  return luhnSum(digits) % 10 === 0;
}

/** 45 CFR 162.406: ten digits, checked as if 80840 stood before them. */
export function isNpi(digits: string): boolean {
  return digits.length === 10 && /^[12]/.test(digits) && hasLuhn(`80840${digits}`);
}

/** The same digits with another last one, so that they pass the check that `like` passes; as they are if it passes none. */
export function keepChecksum(digits: string, like: string): string {
  const prefix = isNpi(like) ? '80840' : like.length >= 8 && hasLuhn(like) ? '' : undefined;
  if (prefix === undefined) return digits;
  const body = prefix === '' ? digits : `${like[0]}${digits.slice(1)}`;
  const sum = luhnSum(`${prefix}${body.slice(0, -1)}0`);
  return `${body.slice(0, -1)}${(10 - (sum % 10)) % 10}`;
}

function luhnSum(digits: string): number {
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits[digits.length - 1 - at]);
    const doubled = at % 2 === 1 ? 2 * digit : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum;
}
