/** Owns the cut of a stack of layers into stages. Refuses to know what the numbers are. */

/**
 * First layers of `count` stages, each of at least one layer, so that the largest stage is as small as it can be; of equal cuts the one with early stages fuller.
 * `first` and `last` come on top of the stages at the ends. `canCut`: before a layer that is not the first. None where there are too few such places.
 */
export function splitLayers(sizes: readonly number[], count: number, first = 0, last = 0, canCut: (layer: number) => boolean = () => true): number[] {
  const sums = [0];
  for (const size of sizes) sums.push((sums.at(-1) ?? 0) + size);
  const between = (from: number, to: number): number => (sums[to] ?? 0) - (sums[from] ?? 0) + (from === 0 ? first : 0) + (to === sizes.length ? last : 0);
  // best[from]: the largest of the stages that hold the layers from there on, and where the first of them ends.
  let best = sizes.map((_, from) => ({ largest: between(from, sizes.length), ends: [sizes.length] }));
  for (let stages = 2; stages <= count; stages++) {
    best = sizes.map((_, from) => {
      let found = { largest: Number.POSITIVE_INFINITY, ends: [sizes.length] };
      for (let end = from + 1; end <= sizes.length - stages + 1; end++) {
        const rest = canCut(end) ? best[end] : undefined;
        const largest = Math.max(between(from, end), rest?.largest ?? 0);
        if (rest !== undefined && largest <= found.largest) found = { largest, ends: [end, ...rest.ends] };
      }
      return found;
    });
  }
  const whole = best[0];
  return whole === undefined || whole.largest === Number.POSITIVE_INFINITY ? [] : [0, ...whole.ends.slice(0, -1)];
}
