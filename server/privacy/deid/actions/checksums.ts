/**
 * Owns how a drawn number keeps the check digit that its original has: Luhn of cards and member numbers, Luhn with the prefix 80840 of
 * National Provider Identifiers. Refuses to judge whether a number was given to anybody.
 */
import { isLuhn } from '../checks.ts';

/** Shorter numbers pass by chance too often to have one. */
const fewestDigits = 8;

/** 45 CFR 162.406: ten digits, checked as if 80840 stood before them. */
export function isNpi(digits: string): boolean {
  return /^[12]\d{9}$/.test(digits) && isLuhn(`80840${digits}`);
}

/** The same digits with another last one, so that they pass the check that `like` passes; as they are if it passes none. */
export function keepChecksum(digits: string, like: string): string {
  if (isNpi(like)) return correct(`${like[0]}${digits.slice(1)}`, isNpi);
  return like.length >= fewestDigits && isLuhn(like) ? correct(digits, isLuhn) : digits;
}

function correct(digits: string, isRight: (digits: string) => boolean): string {
  const candidates = Array.from({ length: 10 }, (_, last) => `${digits.slice(0, -1)}${last}`);
  return candidates.find(isRight) ?? digits;
}
