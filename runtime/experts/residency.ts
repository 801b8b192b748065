/**
 * Owns which experts of a layer are on the device, where there is not room for all: as many as there are slots, and those used last stay longest.
 * Pure. Refuses to know what an expert is, and to move one.
 */

/** Experts that are there at the same time, and which of them have to be brought, to which slot. */
export interface Pass {
  readonly experts: readonly number[];
  readonly loads: readonly { readonly expert: number; readonly slot: number }[];
}

const nobody = -1;

export class Residency {
  readonly #slotOf: Int32Array;
  readonly #expertIn: Int32Array;
  /** Number of the pass that used the slot last. */
  readonly #usedIn: Float64Array;
  #pass = 0;

  constructor(experts: number, slots: number) {
    this.#slotOf = new Int32Array(experts).fill(nobody);
    this.#expertIn = new Int32Array(slots).fill(nobody);
    this.#usedIn = new Float64Array(slots);
  }

  /** undefined: it is not on the device. */
  slotOf(expert: number): number | undefined {
    const slot = this.#slotOf[expert] ?? nobody;
    return slot === nobody ? undefined : slot;
  }

  /**
   * All of `chosen` in as few passes as slots allow. Each is in force from when it is given: its loads must be done, and its experts used, before
   * the next one is asked for. Those that are there already come first, before anything takes their place.
   */
  *passes(chosen: readonly number[]): Generator<Pass> {
    const slots = this.#expertIn.length;
    const inOrder = [...chosen].sort((a, b) => Number(this.slotOf(a) === undefined) - Number(this.slotOf(b) === undefined));
    for (let at = 0; at < inOrder.length; at += slots) yield this.#admit(inOrder.slice(at, at + slots));
  }

  #admit(experts: readonly number[]): Pass {
    this.#pass++;
    for (const expert of experts) {
      const slot = this.slotOf(expert);
      if (slot !== undefined) this.#usedIn[slot] = this.#pass;
    }
    const missing = experts.filter((expert) => this.slotOf(expert) === undefined);
    return { experts, loads: missing.map((expert) => ({ expert, slot: this.#take(expert) })) };
  }

  /** The slot that was not used for longest becomes the expert's. */
  #take(expert: number): number {
    let slot = 0;
    for (let other = 1; other < this.#usedIn.length; other++) if ((this.#usedIn[other] ?? 0) < (this.#usedIn[slot] ?? 0)) slot = other;
    const before = this.#expertIn[slot] ?? nobody;
    if (before !== nobody) this.#slotOf[before] = nobody;
    this.#expertIn[slot] = expert;
    this.#slotOf[expert] = slot;
    this.#usedIn[slot] = this.#pass;
    return slot;
  }
}
