/**
 * A process that the launcher starts in place of the engine's, to try what that may not: before it locks its files, and after.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { Worker } from 'node:worker_threads';
import { Link } from '../../../runtime/link/link.ts';
import { lockFiles } from '../../../runtime/lock.ts';

/** What came of each try: `done`, or the code of the refusal. */
export type Findings = Readonly<Record<string, string>>;

export interface Question {
  /** Files and folders to try. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

export interface Answer {
  readonly before: Findings;
  readonly after: Findings;
  readonly environment: string[];
}

function attempt(action: () => unknown): string {
  try {
    action();
    return 'done';
  } catch (error) {
    return (error as { readonly code?: string }).code ?? 'an error without a code';
  }
}

/** To this machine, at a port where as a rule nobody listens. */
function connect(): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port: 9 }, () => resolve('done'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'an error without a code'));
  });
}

async function tryAll({ reads, writes }: Question): Promise<Findings> {
  return {
    connect: await connect(),
    ...Object.fromEntries(reads.map((path) => [`read ${path}`, attempt(() => (path.endsWith('/') ? readdirSync(path) : readFileSync(path)))])),
    ...Object.fromEntries(writes.map((path) => [`write ${path}`, attempt(() => writeFileSync(path, 'x'))])),
    ...Object.fromEntries(writes.map((path) => [`remove ${path}`, attempt(() => rmSync(path))])),
    spawn: attempt(() => spawnSync(process.execPath, ['--version'])),
    worker: attempt(() => new Worker('', { eval: true })),
    code: attempt(() => new Function('return 1')()),
  };
}

const parent = Link.toParent<Answer, Question>();

async function answer(question: Question): Promise<void> {
  const before = await tryAll(question);
  lockFiles();
  parent.send({ before, after: await tryAll(question), environment: Object.keys(process.env) });
}

parent.listen({ message: (question) => void answer(question), closed: () => process.exit(0) });
