/**
 * A process that the launcher starts in place of the engine's, to try what that may not: before it locks its files, and after.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { lockFiles } from '../../../runtime/lock.ts';

/** What came of each try: `done`, or the code of the refusal. */
export type Findings = Readonly<Record<string, string>>;

export interface Question {
  /** Files and folders to try. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

function attempt(action: () => unknown): string {
  try {
    action();
    return 'done';
  } catch (error) {
    return (error as { readonly code?: string }).code ?? 'an error without a code';
  }
}

function tryAll({ reads, writes }: Question): Findings {
  return {
    ...Object.fromEntries(reads.map((path) => [`read ${path}`, attempt(() => (path.endsWith('/') ? readdirSync(path) : readFileSync(path)))])),
    ...Object.fromEntries(writes.map((path) => [`write ${path}`, attempt(() => writeFileSync(path, 'x'))])),
    ...Object.fromEntries(writes.map((path) => [`remove ${path}`, attempt(() => rmSync(path))])),
    spawn: attempt(() => spawnSync(process.execPath, ['--version'])),
    worker: attempt(() => new Worker('', { eval: true })),
    code: attempt(() => new Function('return 1')()),
  };
}

process.on('message', (question: Question) => {
  const before = tryAll(question);
  lockFiles();
  process.send?.({ before, after: tryAll(question), environment: Object.keys(process.env) });
});
process.on('disconnect', () => process.exit(0));
