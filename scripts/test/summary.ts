/**
 * Owns the end of a test run: counts, the reason of every skipped test, and what makes a run bad although no
 * test failed (no test at all, an error outside of tests, every test on a device skipped).
 */

/** The part of vitest's test modules that is looked at. */
export interface TestModule {
  readonly relativeModuleId: string;
  readonly project: { readonly name: string };
  errors(): readonly unknown[];
  readonly children: { allTests(): Iterable<TestCase> };
}
export interface TestCase {
  readonly fullName: string;
  result(): { readonly state: string; readonly note?: string | undefined };
}

export function summarize(modules: readonly TestModule[], errorCount: number): { lines: string[]; isGood: boolean } {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const device = { run: 0, skipped: 0 };
  const lines: string[] = [];
  for (const module of modules) {
    // A module that cannot be loaded has no tests and counts as one that failed.
    if (module.errors().length > 0) counts.failed++;
    for (const test of module.children.allTests()) {
      const { state, note } = test.result();
      const kind = state === 'passed' || state === 'failed' ? state : 'skipped';
      counts[kind]++;
      if (kind === 'skipped') lines.push(`skipped: ${module.relativeModuleId} > ${test.fullName}: ${note ?? 'NO REASON GIVEN'}`);
      // Shader validation runs on Dawn's null backend, which is no device.
      if (module.project.name === 'gpu' && !/kernels\/validate/.test(module.relativeModuleId)) device[kind === 'skipped' ? 'skipped' : 'run']++;
    }
  }
  const problems: string[] = [];
  if (errorCount > 0) problems.push(`${errorCount} errors outside of tests.`);
  if (counts.passed + counts.failed === 0) problems.push('No test ran.');
  if (device.skipped > 0 && device.run === 0) problems.push('Every test on a device was skipped.');
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  return { lines: [...lines, ...problems, `${counts.passed} passed, ${counts.failed} failed${skipped}`], isGood: counts.failed === 0 && problems.length === 0 };
}
