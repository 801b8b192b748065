/**
 * Owns which made-up word stands for which word of a name, the same one everywhere, so that `Smith` and `John Smith` stay one
 * person. Takes the gender that title or given name suggest. Refuses words that the note has, and gives up when it has none left.
 */
import { familyNames, femaleCues, femaleNames, maleCues, maleNames } from '../data/names.ts';
import { ValueStore } from '../mapping/values.ts';
import { foldWord, type NamePart, readInitials, readName } from './name.ts';
import type { Random } from './surrogates.ts';

type Gender = 'female' | 'male' | undefined;

/** A name in made-up words, and what each of its words of two letters and more stands for. */
export interface NameSurrogate {
  readonly text: string;
  readonly words: readonly { readonly original: string; readonly surrogate: string }[];
}

export class SurrogateNames {
  readonly #store = new ValueStore();
  readonly #words = new Map<number, string>();
  readonly #used = new Set<string>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** undefined: there is no free word left, or nothing in the text is a name. */
  make(name: string, isTaken: (word: string) => boolean): NameSurrogate | undefined {
    const parts = readName(name);
    // Whose initials they are, a tag says and a made-up word would not.
    if (readInitials(name).length > 0 && !this.#words.has(this.#store.find(foldWord(name)))) return undefined;
    const gender = readGender(parts);
    const words: { original: string; surrogate: string }[] = [];
    let text = '';
    for (const part of parts) {
      const surrogate = part.kind === 'other' ? part.text : this.#replace(part, gender, isTaken);
      if (surrogate === undefined) return undefined;
      if (part.kind === 'given' || part.kind === 'family') words.push({ original: part.text, surrogate });
      text += surrogate;
    }
    return words.length === 0 ? undefined : { text, words };
  }

  clear(): void {
    this.#store.clear();
    this.#words.clear();
    this.#used.clear();
  }

  #replace({ text, kind }: NamePart, gender: Gender, isTaken: (word: string) => boolean): string | undefined {
    const index = this.#store.add(foldWord(text));
    const known =
      this.#words.get(index) ??
      (kind === 'initial' ? this.#drawInitial(text) : this.#draw(kind === 'family' ? familyNames : givenNames(text, gender, this.#random), isTaken));
    if (known === undefined) return undefined;
    this.#words.set(index, known);
    return matchCase(known, text);
  }

  #draw(names: readonly string[], isTaken: (word: string) => boolean): string | undefined {
    const first = this.#random(names.length);
    for (let step = 0; step < names.length; step += 1) {
      const name = names[(first + step) % names.length] as string;
      if (this.#used.has(name) || isTaken(name.toLowerCase())) continue;
      this.#used.add(name);
      return name;
    }
    return undefined;
  }

  #drawInitial(letter: string): string {
    const other = 'ABCDEFGHJKLMNPRSTVW'[this.#random(19)] as string;
    return other === letter.toUpperCase() ? 'Z' : other;
  }
}

/** In capitals where the other is; small letters only where the whole other is. */
function matchCase(word: string, like: string): string {
  if (like === like.toUpperCase() && like.length > 1 && like !== like.toLowerCase()) return word.toUpperCase();
  return like === like.toLowerCase() ? word.toLowerCase() : word;
}

function readGender(parts: readonly NamePart[]): Gender {
  for (const { text, kind } of parts) {
    if (kind === 'other' && /\b(?:mr|sr|sir|don|fr)\b/i.test(text)) return 'male';
    if (kind === 'other' && /\b(?:mrs|ms|miss|sra|srta|dame|doña)(?!\p{L})/iu.test(text)) return 'female';
  }
  return parts.map(({ text, kind }) => (kind === 'given' ? genderOf(text) : undefined)).find((gender) => gender !== undefined);
}

function genderOf(name: string): Gender {
  const folded = foldWord(name);
  if (femaleCues.has(folded)) return 'female';
  return maleCues.has(folded) ? 'male' : undefined;
}

function givenNames(text: string, gender: Gender, random: Random): readonly string[] {
  const own = genderOf(text) ?? gender;
  if (own === undefined) return random(2) === 0 ? femaleNames : maleNames;
  return own === 'female' ? femaleNames : maleNames;
}
