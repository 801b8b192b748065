/**
 * Owns the statistics of the load bench: quantiles, distributions, and whether two samples could be of one distribution. Pure.
 * Refuses samples that hold anything but finite numbers.
 */

/** Of samples in ms. */
export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** Quantiles 0 %, 1 % ... 100 %, for drawing. */
  readonly curve: readonly number[];
}

/** Linear between the two nearest ranks: type 7 of Hyndman and Fan (1996). `sorted`: at least one, ascending. */
export function quantile(sorted: readonly number[], fraction: number): number {
  const place = (sorted.length - 1) * Math.min(1, Math.max(0, fraction));
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  // Rounding may not lead beyond the rank above.
  return Math.min(above, below + (above - below) * (place - Math.floor(place)));
}

/** Undefined where there is no sample. */
export function describeSamples(samples: readonly number[]): Distribution | undefined {
  if (samples.length === 0) return undefined;
  if (!samples.every(Number.isFinite)) throw new RangeError('a sample is no finite number');
  const sorted = samples.toSorted((a, b) => a - b);
  const curve = Array.from({ length: 101 }, (_, percent) => quantile(sorted, percent / 100));
  return { count: sorted.length, p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), p99: quantile(sorted, 0.99), max: quantile(sorted, 1), curve };
}

export interface RankTest {
  /** Pairs (a, b) with a above b, equal ones half. */
  readonly u: number;
  /** Two-sided: how likely samples so far apart are if both are of one distribution. */
  readonly p: number;
}

/**
 * Mann and Whitney (1947), "On a test of whether one of two random variables is stochastically larger than the other". Exact by their recurrence
 * without ties; with ties by the normal approximation, corrected for ties and continuity.
 */
export function compareRanks(a: readonly number[], b: readonly number[]): RankTest {
  if (a.length === 0 || b.length === 0) throw new RangeError('a sample is empty');
  if (![...a, ...b].every(Number.isFinite)) throw new RangeError('a sample is no finite number');
  const u = a.reduce((sum, x) => sum + b.reduce((wins, y) => wins + (x > y ? 1 : x === y ? 0.5 : 0), 0), 0);
  const least = Math.min(u, a.length * b.length - u);
  const groups = [...Map.groupBy([...a, ...b], (value) => value).values()].map(({ length }) => length);
  const p = groups.every((length) => length === 1) ? 2 * exactTail(a.length, b.length, least) : 2 * normalTail(a.length, b.length, least, groups);
  return { u, p: Math.min(1, p) };
}

/** P(U <= u) if all orders of the two samples are equally likely. */
function exactTail(m: number, n: number, u: number): number {
  // ways[j][v]: orders of i and j values with U = v. The last one is of the first sample, above all j, or of the second.
  let ways: number[][] = Array.from({ length: n + 1 }, () => [1]);
  for (let i = 1; i <= m; i++) {
    const next: number[][] = [[1]];
    for (let j = 1; j <= n; j++) {
      const [above, beside] = [ways[j] ?? [], next[j - 1] ?? []];
      next.push(Array.from({ length: i * j + 1 }, (_, v) => (above[v - j] ?? 0) + (beside[v] ?? 0)));
    }
    ways = next;
  }
  const counts = ways[n] ?? [];
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return sum(counts.slice(0, Math.floor(u) + 1)) / sum(counts);
}

function normalTail(m: number, n: number, u: number, groups: readonly number[]): number {
  const all = m + n;
  const ties = groups.reduce((sum, t) => sum + (t ** 3 - t), 0);
  const variance = ((m * n) / 12) * (all + 1 - ties / (all * (all - 1)));
  if (variance <= 0) return 1;
  return cumulativeNormal((u + 0.5 - (m * n) / 2) / Math.sqrt(variance));
}

/** Abramowitz and Stegun (1964), 7.1.26: off by at most 1e-7. */
function cumulativeNormal(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = 0.5 * series * Math.exp(-x * x);
  return z < 0 ? tail : 1 - tail;
}
