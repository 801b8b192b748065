/**
 * Owns the choice of a few cases where all of them take minutes: in full all, otherwise as many as asked, drawn anew by each run. Tells the
 * seed, so that a run can be made again (INWARD_TEST_SEED).
 */
const seed = Number(process.env['INWARD_TEST_SEED'] ?? Date.now() % 2 ** 31);

/** `what`: what the cases are, for whoever reads the log. Cases in `always` are among them. */
export function sampleCases<T>(what: string, cases: readonly T[], count: number, always: readonly T[] = []): T[] {
  if (process.env['INWARD_FULL'] === '1' || cases.length <= count) return [...cases];
  const others = cases.filter((one) => !always.includes(one));
  let state = seed;
  for (let i = others.length - 1; i > 0; i--) {
    // A linear congruential step (Numerical Recipes): which cases are drawn need not be hard to guess.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const j = state % (i + 1);
    const [a, b] = [others[i] as T, others[j] as T];
    [others[i], others[j]] = [b, a];
  }
  console.log(`${what}: ${count} of ${cases.length}, drawn with INWARD_TEST_SEED=${seed}`);
  return [...always, ...others.slice(0, count - always.length)];
}
