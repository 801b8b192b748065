/**
 * Owns what tests of the writer share: a folder for a log, options of a small one with a clock of its own, events that can be told
 * apart, and the judgement of a log by the verifier, which shares no code with the writer.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { type Disk, type DiskFile, systemDisk } from '../../../../server/privacy/audit/disk.ts';
import type { AuditEvent, EventOf } from '../../../../server/privacy/audit/events.ts';
import { AuditLog, type LogOptions } from '../../../../server/privacy/audit/log.ts';
import { type LogReport, openFolder, verifyLog } from '../../../../server/privacy/audit/verify.mjs';
import { listFrames } from './logs.ts';

/** 2026-11-24T10:00:00Z */
export const begin = 1_795_514_400_000;
export const dayMs = 86_400_000;

export interface LogFolder extends Disposable {
  readonly path: string;
}

const memory = '/dev/shm';

export function createLogFolder(): LogFolder {
  // In memory where the system has that: hundreds of crashes need no real disk.
  const folder = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'inward-log-'));
  return { path: join(folder, 'audit', '1'), [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

export class LogClock {
  time: number = begin;
  readonly now = (): number => this.time;
}

/** Of a log that stops and tries again soon, with little room. */
export function createOptions(changes: Partial<LogOptions> = {}): LogOptions {
  const machine = { boot: '6a2f1b1e-9c1d-4d1e-8a53-0d6e5a3b7c11', host: '0123456789abcdef' };
  return { now: new LogClock().now, machine, stallMs: 10_000, retryMs: 5, roomSize: 2 ** 14, ...changes };
}

export async function openSmall(folder: LogFolder, changes?: Partial<LogOptions>): Promise<AuditLog> {
  const log = await AuditLog.open(folder.path, createOptions(changes));
  if (log === undefined) throw new Error('another process has the log');
  return log;
}

/** Told apart by its number. */
export const mark = (days: number): EventOf<'agreement_ending'> => ({ event: 'agreement_ending', agreement: 'agr-0123456789', days });

export const requestId = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;

export function intend(number: number): EventOf<'intent'> {
  return {
    ...{ event: 'intent', request: requestId(number), route: '/v1/chat/completions', tenant: 'cardiology', key: 'k3y0000000', purpose: 'documentation' },
    ...{ agreement: 'agr-0123456789', region: 'us-east', data: 'phi', priority: 'interactive' },
  } as const;
}

export const finish = (number: number): EventOf<'outcome'> => ({ event: 'outcome', request: requestId(number), ending: 'stop', status: 200 });

export type Entry = Readonly<Record<string, unknown>>;

/** All records in the order of the segments, as far as a checkpoint stands behind them. */
export function readEntries(folder: string): Entry[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.log'));
  return names.sort().flatMap((name) => {
    const frames = listFrames(readFileSync(join(folder, name)));
    const last = frames.findLastIndex(({ isRecord }) => !isRecord);
    return frames.slice(0, last).flatMap(({ isRecord, bytes }) => (isRecord ? [JSON.parse(Buffer.from(bytes.subarray(5, -8)).toString())] : []));
  });
}

export const listEvents = (folder: string): unknown[] => readEntries(folder).map(({ event }) => event);
/** Numbers of the marks. */
export const listMarks = (folder: string): unknown[] => readEntries(folder).flatMap(({ event, days }) => (event === 'agreement_ending' ? [days] : []));

/** The verifier finds nothing wrong. */
export async function expectIntact(folder: string, keys: readonly string[] = []): Promise<LogReport> {
  const report = await verifyLog(await openFolder(folder), { keys });
  expect(report.flaws).toEqual([]);
  return report;
}

/** The machine may have more to do. */
export const waitFor = <T>(look: () => T | Promise<T>): Promise<T> => vi.waitFor(look, { timeout: 30_000, interval: 5 });

/** Nothing is wrong, and what follows from the log is written too. */
export async function expectSettled(log: AuditLog, folder: string): Promise<void> {
  await waitFor(() => {
    expect(log.fault).toBeUndefined();
    expect(readFileSync(join(folder, 'head'), 'utf8')).toBe(log.checkpoint.note);
    expect(readEntries(folder).length).toBe(log.checkpoint.size);
  });
}

export interface Step {
  readonly operation: 'create' | 'open' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'syncFolder';
  /** Name in the folder of the log. */
  readonly name: string;
  readonly path: string;
  readonly file?: DiskFile;
  readonly bytes?: Uint8Array;
  readonly position?: number;
  readonly to?: string;
}

/** The disks of this machine, with a say before and after everything that is done to them. */
export function watchDisk(before: (step: Step) => Promise<void> | void, after: (step: Step) => void = () => undefined): Disk {
  const run = async <T>(step: Omit<Step, 'name'>, work: () => Promise<T>): Promise<T> => {
    const named = { ...step, name: step.path.slice(step.path.lastIndexOf('/') + 1) };
    await before(named);
    const result = await work();
    after(named);
    return result;
  };
  const wrap = (path: string, file: DiskFile): DiskFile => ({
    write: (bytes, position) => run({ operation: 'write', path, file, bytes, position }, () => file.write(bytes, position)),
    sync: () => run({ operation: 'sync', path }, () => file.sync()),
    truncate: (size) => run({ operation: 'truncate', path }, () => file.truncate(size)),
    close: () => file.close(),
  });
  return {
    create: (path) => run({ operation: 'create', path }, async () => wrap(path, await systemDisk.create(path))),
    open: (path) => run({ operation: 'open', path }, async () => wrap(path, await systemDisk.open(path))),
    rename: (path, to) => run({ operation: 'rename', path, to }, () => systemDisk.rename(path, to)),
    remove: (path) => run({ operation: 'remove', path }, () => systemDisk.remove(path)),
    syncFolder: (path) => run({ operation: 'syncFolder', path }, () => systemDisk.syncFolder(path)),
  };
}

export function failWith(code: string): never {
  throw Object.assign(new Error(`${code} (test)`), { code });
}

export const appendAll = (log: AuditLog, events: readonly AuditEvent[]): Promise<unknown> => Promise.all(events.map((event) => log.append(event)));
