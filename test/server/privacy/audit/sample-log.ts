/**
 * Owns audit logs for tests: records with checkpoints between them in segments, as a writer leaves them, in a folder of their own.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AuditEvent, encodeRecord } from '../../../../server/privacy/audit/events.ts';
import { encodeFrame, magic } from '../../../../server/privacy/audit/frames.ts';
import { exportPublicKey, formatKey, importPrivateKey, signCheckpoint } from '../../../../server/privacy/audit/note.ts';
import { GrowingTree } from '../../../../server/privacy/audit/tree.ts';

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
/** As the writer does: for its user only. */
function write(path: string, bytes: Buffer | string): void {
  writeFileSync(path, bytes, { mode: 0o600 });
}

/** Of the first record. */
export const startTime: number = Date.parse('2026-11-23T08:00:00Z');
const minute = 60_000;

export function uuid(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

/** The two records of a request. */
export function pair(number: number, more: { readonly key?: string; readonly tenant?: string } = {}): readonly [AuditEvent, AuditEvent] {
  const { key = 'k123456789', tenant = 'main' } = more;
  const request = uuid(number);
  return [
    {
      ...{ event: 'intent', request, route: '/v1/chat/completions', address: '10.1.2.3', tenant, key, purpose: 'documentation', priority: 'interactive' },
      ...{ agreement: 'agr-3f8a1c0d9b72', region: 'us-east', data: 'phi' },
    },
    { event: 'outcome', request, ending: 'stop', status: 200, promptTokens: 256, completionTokens: 64, duration: 1024 },
  ];
}

/** A log that is written commit by commit; each record is a minute after the one before. */
export class SampleLog {
  readonly folder: string;
  readonly id: string;
  readonly texts: string[] = [];
  readonly notes: string[] = [];
  /** Of the next record. */
  time: number = startTime;
  readonly #tree = new GrowingTree();
  readonly #nodes: Uint8Array[] = [];
  #segment = 1;
  #frames: Buffer[] = [magic];

  constructor(folder: string, name = 'sample') {
    this.folder = folder;
    this.id = hash(name).toString('hex').slice(0, 32);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.commit({ event: 'log_created', log: this.id, key: this.#publicKey(1).toString('base64') });
  }

  /** The first public key as it is noted down. */
  get key(): string {
    return formatKey(this.id, this.#publicKey(1));
  }

  get path(): string {
    return join(this.folder, `${String(this.#segment).padStart(8, '0')}.log`);
  }

  get size(): number {
    return this.#tree.size;
  }

  /** One or more records and the checkpoint behind them. */
  commit(...events: readonly AuditEvent[]): this {
    for (const event of events) this.add(event);
    const checkpoint = { log: this.id, size: this.#tree.size, root: Buffer.from(this.#tree.root) };
    const note = signCheckpoint(checkpoint, importPrivateKey(this.#seed(this.#segment)), this.#publicKey(this.#segment));
    this.notes.push(note);
    this.#frames.push(encodeFrame('checkpoint', note).bytes);
    return this.#write(note);
  }

  /** A record that no checkpoint stands behind yet. */
  add(event: AuditEvent): this {
    const place = { seq: this.#tree.size, time: this.time, up: this.time - startTime, boot: uuid(0), host: '0123456789abcdef' };
    const text = encodeRecord(place, event);
    const { bytes, hash: leaf } = encodeFrame('record', text);
    this.texts.push(text);
    this.#frames.push(bytes);
    this.#nodes.push(...this.#tree.add(leaf));
    this.time += minute;
    write(this.path, Buffer.concat(this.#frames));
    return this;
  }

  /** Ends the segment and begins the next one. */
  rotate(): this {
    const key = this.#publicKey(this.#segment + 1).toString('base64');
    this.commit({ event: 'log_rotated', segment: this.#segment + 1, key, open: 0 });
    write(this.path, Buffer.concat(this.#frames));
    this.#segment++;
    this.#frames = [magic];
    return this.#write(this.notes.at(-1) ?? '');
  }

  /** Puts a stub in the place of a segment, as a purge does. */
  purge(number: number, rotated: string, note: string): this {
    const path = join(this.folder, String(number).padStart(8, '0'));
    write(`${path}.stub`, Buffer.concat([magic, encodeFrame('record', rotated).bytes, encodeFrame('checkpoint', note).bytes]));
    rmSync(`${path}.log`);
    return this;
  }

  #write(note: string): this {
    // The newest one has room in reserve behind it.
    write(this.path, Buffer.concat([...this.#frames, Buffer.alloc(4096)]));
    write(join(this.folder, 'hashes'), Buffer.concat(this.#nodes));
    write(join(this.folder, 'head'), note);
    return this;
  }

  #seed(segment: number): Buffer {
    return hash(`key ${segment} of ${this.id}`);
  }

  #publicKey(segment: number): Buffer {
    return exportPublicKey(importPrivateKey(this.#seed(segment)));
  }
}
