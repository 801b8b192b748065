/**
 * Owns the report of a proof as a record that can be signed: closed types, whole numbers, and the digests by which it is known what was
 * proved. Refuses a record that holds a marker.
 */
import { hash, randomBytes } from 'node:crypto';
import { release } from 'node:os';
import { z } from 'zod';
import type { Settings } from '../config.ts';
import { canonicalize, type Envelope } from '../privacy/envelope.ts';
import { SiteError } from '../privacy/errors.ts';
import { readVersion } from '../privacy/version.ts';
import { forms, routePatterns } from '../privacy/words.ts';
import { replacedSettings } from './child.ts';
import { claimNames, type Finding, type Place, type Result, results, summarize } from './claims.ts';
import type { MappingKind } from './memory.ts';
import type { Panel, Proof } from './run.ts';
import type { RouteCount } from './traffic.ts';

/** What no program can show; the report says so. */
const duties: readonly string[] = [
  'Clients, networks and other programs on this machine, which have the text of a request before and after the server.',
  'Encryption of disks and of swap, and the keys for it.',
  'Snapshots and backups of memory, and the host of a virtual machine.',
  'Who may become root or read the memory of other processes on this machine.',
  'Packages below node_modules, drivers and the kernel, of which the digest of the program says nothing.',
  'That the server runs with the settings, the program and the machine that were proved, and that this is repeated after every change.',
];

/** `copies` is missing where the memory of a process may not be read. */
interface MemoryRow {
  readonly process: Place['process'];
  readonly copies?: number | undefined;
  readonly size: number;
  readonly kinds: Readonly<Partial<Record<MappingKind, number>>>;
}

export interface ProofRecord {
  readonly id: string;
  readonly begun: string;
  readonly ended: string;
  readonly result: Result;
  readonly program: { readonly version: string; readonly software: string; readonly node: string };
  readonly machine: { readonly platform: string; readonly architecture: string; readonly kernel: string };
  readonly compute: Panel;
  readonly settings: { readonly profile: string; readonly replaced: readonly string[] };
  readonly tried: {
    readonly traced: boolean;
    /** The server ran before, and went on running. */
    readonly attached: boolean;
    readonly requests: number;
    readonly answers: number;
    readonly markers: number;
    readonly cases: readonly string[];
    readonly routes: readonly RouteCount[];
  };
  readonly memory: { readonly waitedMs: number; readonly first: number; readonly processes: readonly MemoryRow[] };
  readonly claims: readonly Finding[];
  readonly duties: readonly string[];
}

const count = z.number().int().min(0);
const processKind = z.enum(['server', 'engine', 'text', 'other', 'none']);
const mapping = z.enum(['heap', 'stack', 'anonymous', 'shared', 'file']);
const [sentence, word] = [z.string().max(500), z.string().max(120)];
const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
const sha256 = z.string().regex(forms.sha256);

const recordSchema: z.ZodType<ProofRecord> = z.strictObject({
  id: z.string().regex(/^prove-[0-9a-f]{16}$/),
  begun: time,
  ended: time,
  result: z.enum(results),
  program: z.strictObject({ version: word, software: sha256, node: word }),
  machine: z.strictObject({ platform: word, architecture: word, kernel: word }),
  compute: z.strictObject({ device: sentence, driver: sentence, model: sentence }),
  settings: z.strictObject({ profile: sha256, replaced: z.array(word) }),
  tried: z.strictObject({
    ...{ traced: z.boolean(), attached: z.boolean(), requests: count, answers: count, markers: count, cases: z.array(word) },
    routes: z.array(z.strictObject({ route: z.enum(routePatterns), requests: count, statuses: z.record(z.string().regex(/^(?:\d{3}|left)$/), count) })),
  }),
  memory: z.strictObject({
    ...{ waitedMs: count, first: count },
    processes: z.array(z.strictObject({ process: processKind, copies: count.optional(), size: count, kinds: z.partialRecord(mapping, count) })),
  }),
  claims: z.array(
    z.strictObject({
      ...{ claim: z.enum(claimNames), result: z.enum(results), told: sentence },
      places: z.array(z.strictObject({ where: z.string().max(4200), process: processKind, count })),
    }),
  ),
  duties: z.array(sentence),
});

export interface ReportFacts {
  readonly settings: Settings;
  /** SHA-256 of the program (privacy/deployment/software.ts). */
  readonly software: string;
  /** Ms of the epoch. */
  readonly begun: number;
  readonly ended: number;
}

/** The record, unsigned. */
export function createReport(proof: Proof, facts: ReportFacts): Envelope {
  const { findings, traffic, memory, markers } = proof;
  const record: ProofRecord = {
    id: `prove-${randomBytes(8).toString('hex')}`,
    begun: formatTime(facts.begun),
    ended: formatTime(facts.ended),
    result: summarize(findings),
    program: { version: readVersion(), software: facts.software, node: process.versions.node },
    machine: { platform: process.platform, architecture: process.arch, kernel: release() },
    compute: proof.panel,
    settings: { profile: hash('sha256', canonicalize(facts.settings)), replaced: proof.isAttached ? [] : replacedSettings },
    tried: {
      ...{ traced: proof.isTraced, attached: proof.isAttached, requests: traffic.requests, answers: traffic.answers, markers: markers.count },
      ...{ cases: traffic.cases, routes: traffic.routes },
    },
    memory: {
      ...{ waitedMs: memory.waitedMs, first: memory.first },
      processes: memory.processes.map(({ kind, count: copies, size, kinds }) => ({ process: kind, ...(copies !== undefined && { copies }), size, kinds })),
    },
    claims: findings,
    duties,
  };
  const text = canonicalize(record);
  if (markers.countIn(Buffer.from(text)) > 0) throw new SiteError('The report was not made: a marker would be in it; that is a fault of inward prove.');
  return { type: 'inward.prove.v1', record: { ...recordSchema.parse(record) }, signatures: [] };
}

/** The record of a report, read strictly. Throws SiteError. */
export function readReport({ type, record }: Envelope, name: string): ProofRecord {
  const result = type === 'inward.prove.v1' ? recordSchema.safeParse(record) : undefined;
  if (result?.success === true) return result.data;
  const field = result === undefined ? 'type' : `record.${result.error.issues[0]?.path.join('.')}`;
  throw new SiteError(`${name} is no report of inward prove: the field "${field}" is missing, unknown or of another form.`);
}

/** UTC to the second. */
function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
