/**
 * Owns where in a JSON text one is, unit by unit: within a string, within an escape. Refuses to check the syntax.
 */
/** Stands for the sign that an escape means where it matters only that it is no letter. */
const blank = 32;

export class JsonState {
  isInString = false;
  /** Units of an escape that are still to come; -1: the one that says which escape it is. */
  #escape = 0;
  #code = 0;

  /** Whether the unit that comes belongs to an escape. */
  get isInEscape(): boolean {
    return this.#escape !== 0;
  }

  /** Takes a unit and gives the one that the reader of the value sees; within an escape, a blank. */
  take(unit: number): number {
    if (!this.isInString) {
      this.isInString = unit === quote;
      return unit;
    }
    if (this.#escape === 0) {
      if (unit === backslash) this.#escape = -1;
      else if (unit === quote) this.isInString = false;
      return unit === backslash ? blank : unit;
    }
    if (this.#escape === -1) {
      this.#escape = unit === 117 ? 4 : 0;
      this.#code = 0;
      return blank;
    }
    this.#escape -= 1;
    this.#code = this.#code * 16 + Number.parseInt(String.fromCharCode(unit), 16);
    return this.#escape === 0 && this.#code >= 0 ? this.#code : blank;
  }
}

const [quote, backslash] = [34, 92];
