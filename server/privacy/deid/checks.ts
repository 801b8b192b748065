/** Owns check digits: what makes a card, an account, a vehicle or a provider number more than a row of characters. Each takes the characters without separators. */

/** Luhn (ISO/IEC 7812-1 annex B): cards; NPI with the prefix 80840. */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 48;
    const doubled = index % 2 === 0 ? digit : digit * 2;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return digits !== '' && sum % 10 === 0;
}

/** IBAN (ISO 13616): the remainder of the rearranged number by 97 is 1. */
export function isIban(code: string): boolean {
  if (code.length < 15 || code.length > 34 || !/^[A-Za-z]{2}\d{2}[A-Za-z0-9]+$/.test(code)) return false;
  let remainder = 0;
  for (const character of code.slice(4) + code.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1;
}

const vinValues: Readonly<Record<string, number>> = Object.fromEntries(
  [...'0123456789']
    .map((digit) => [digit, Number(digit)])
    .concat(
      [...'ABCDEFGH'].map((letter, index) => [letter, index + 1]),
      [...'JKLMN'].map((letter, index) => [letter, index + 1]),
      [
        ['P', 7],
        ['R', 9],
      ],
      [...'STUVWXYZ'].map((letter, index) => [letter, index + 2]),
    ),
);
const vinWeights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

/** Vehicle identification number (49 CFR 565.15): 17 characters, the ninth is the check digit. */
export function isVin(code: string): boolean {
  if (code.length !== 17) return false;
  let sum = 0;
  for (let index = 0; index < 17; index++) {
    const value = vinValues[code[index]!.toUpperCase()];
    if (value === undefined) return false;
    sum += value * vinWeights[index]!;
  }
  return 'X0123456789'[((sum % 11) + 1) % 11] === code[8]!.toUpperCase();
}
