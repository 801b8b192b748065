/**
 * Owns the text that a parser has not read yet, and reading it up to marks that may be split anywhere. Parsers are generators: each `yield` waits for more.
 * Every character is looked at a bounded number of times, however the text is split.
 */

export type Reading<T> = Generator<undefined, T, undefined>;

export class Source {
  #text = '';
  #isEnded = false;

  add(text: string): void {
    this.#text += text;
  }

  finish(): void {
    this.#isEnded = true;
  }

  /** Nothing is left and nothing will come. */
  get isOver(): boolean {
    return this.#isEnded && this.#text === '';
  }

  /** Hands everything before the first of the marks to `take`, as it comes, and goes behind the mark; undefined where the text ends first. */
  *readUntil(marks: readonly string[], take: (text: string) => void): Reading<string | undefined> {
    for (;;) {
      const found = findFirst(this.#text, marks);
      const end = found?.place ?? this.#text.length - (this.#isEnded ? 0 : longestBeginning(this.#text, marks));
      if (end > 0) take(this.#text.slice(0, end));
      this.#text = this.#text.slice(end + (found?.mark.length ?? 0));
      if (found !== undefined || this.#isEnded) return found?.mark;
      yield;
    }
  }

  /** The next character without going on; '' at the end. */
  *peek(): Reading<string> {
    while (this.#text === '' && !this.#isEnded) yield;
    return this.#text.charAt(0);
  }

  /** Goes behind as many characters as the pattern matches one by one, and gives them. */
  *readWhile(pattern: RegExp): Reading<string> {
    let read = '';
    for (;;) {
      let end = 0;
      while (end < this.#text.length && pattern.test(this.#text.charAt(end))) end++;
      read += this.#text.slice(0, end);
      this.#text = this.#text.slice(end);
      if (this.#text !== '' || this.#isEnded) return read;
      yield;
    }
  }

  /** Goes behind this text if it comes next. */
  *skip(wanted: string): Reading<boolean> {
    while (this.#text.length < wanted.length && wanted.startsWith(this.#text) && !this.#isEnded) yield;
    if (!this.#text.startsWith(wanted)) return false;
    this.#text = this.#text.slice(wanted.length);
    return true;
  }

  /** Gives what is here, up to `limit` characters. */
  *readSome(limit: number): Reading<string> {
    while (this.#text === '' && !this.#isEnded) yield;
    const read = this.#text.slice(0, limit);
    this.#text = this.#text.slice(limit);
    return read;
  }
}

/** By going through the text once: looking for each mark in all of it would take its square where one is frequent and another missing. */
function findFirst(text: string, marks: readonly string[]): { readonly place: number; readonly mark: string } | undefined {
  for (let place = 0; place < text.length; place++) {
    const code = text.charCodeAt(place);
    for (const mark of marks) if (mark.charCodeAt(0) === code && text.startsWith(mark, place)) return { place, mark };
  }
  return undefined;
}

/** Characters at the end that may be the beginning of a mark. */
function longestBeginning(text: string, marks: readonly string[]): number {
  const most = marks.reduce((longest, mark) => Math.max(longest, mark.length), 1) - 1;
  for (let length = Math.min(most, text.length); length > 0; length--) {
    const end = text.slice(-length);
    if (marks.some((mark) => mark.startsWith(end))) return length;
  }
  return 0;
}
