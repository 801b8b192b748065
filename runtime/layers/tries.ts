/**
 * Owns the trying: a process that is locked as the others are, but by the kernel alone, tries to connect, to write and to signal,
 * and says what came of it. Refuses to leave anything behind, and to try on any machine but this one.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findPython, lockCommand, overwritingEnvironment, programBeside } from '../launch.ts';
import { type ProcessFacts, type ProcessTexts, parseProcess } from './process-facts.ts';

export const attempts = ['tcp', 'udp', 'local', 'file', 'signal'] as const;
export type Attempt = (typeof attempts)[number];

/** What the process prints: of each attempt the code of its error, or `done`; and what /proc says of it. */
export interface Findings {
  /** Memory that was asked for as it is came overwritten. */
  readonly overwritesFreed: boolean;
  readonly outcomes: Readonly<Record<Attempt, string>>;
  readonly texts: ProcessTexts;
}

export interface Tries {
  /** Whether the C library does what it is told. */
  readonly overwritesFreed: boolean;
  /** Whether the kernel refused. */
  readonly refused: Readonly<Record<Attempt, boolean>>;
  readonly facts: ProcessFacts;
}

/** What a lock answers with; ENOENT and ECONNREFUSED came from behind it. */
const refusals: ReadonlySet<string> = new Set(['EPERM', 'EACCES']);
const deadlineMs = 20_000;

/** Undefined where the process could not be started or said nothing. */
export async function tryLocks(): Promise<Tries | undefined> {
  // Where nothing could refuse, nothing is tried: it would be done.
  const target = findPython() === undefined ? '' : join(tmpdir(), `inward-try-${randomUUID()}`);
  const [command, ...values] = lockCommand([process.execPath, fileURLToPath(programBeside(import.meta.url, 'process')), target], []);
  try {
    const { stdout } = await promisify(execFile)(command, values, { env: overwritingEnvironment, timeout: deadlineMs });
    const { outcomes, texts, overwritesFreed }: Findings = JSON.parse(stdout);
    const refused = Object.fromEntries(attempts.map((name) => [name, refusals.has(outcomes[name])])) as Record<Attempt, boolean>;
    return { refused, facts: parseProcess(texts), overwritesFreed };
  } catch {
    return undefined;
  } finally {
    if (target !== '') rmSync(target, { force: true });
  }
}
