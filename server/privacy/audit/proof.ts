/**
 * Owns proofs (docs/audit.md): that a record is in the log, and that the log of today is a continuation of that of an older
 * checkpoint, with how the key of the checkpoint follows from the first one. Refuses what is not in the log, or not any more.
 */
import { SiteError } from '../errors.ts';
import { listSegments } from './folder.ts';
import { openNodes } from './nodes.ts';
import { type Checkpoint, readCheckpoint } from './note.ts';
import type { LogReader } from './reader.ts';
import { damage, locateSegment, readSegmentEnd } from './segments.ts';
import { type NodeSource, proveConsistency, proveInclusion } from './tree.ts';

export interface Entry {
  readonly record: string;
  /** Its `seq`. */
  readonly index: number;
  /** RFC 6962, section 2.1.1; base64. */
  readonly path: readonly string[];
}

/** A segment before that of the checkpoint. `created` is in the first one only, and not where that was purged; alone where there is no other. */
export type Link = (Entry & { readonly checkpoint: string; readonly created?: Entry }) | { readonly created: Entry };

interface Proved {
  readonly type: 'inward.audit.proof.v1';
  readonly checkpoint: string;
  readonly chain: readonly Link[];
}
export type InclusionProof = Proved & { readonly kind: 'inclusion' } & Entry;
export type ConsistencyProof = Proved & { readonly kind: 'consistency'; readonly old: string; readonly path: readonly string[] };

const type = 'inward.audit.proof.v1';

/** Makes proofs against the last checkpoint of a log; gives back the file of hashes when disposed. */
export class Prover implements Disposable {
  readonly #reader: LogReader;
  readonly #nodes: NodeSource & Disposable;
  readonly checkpoint: Checkpoint;
  /** The same, as text with its signature. */
  readonly note: string;
  /** How its key follows from the first one. */
  readonly chain: readonly Link[];

  /** Throws SiteError where there is nothing to prove, and what is damaged. */
  constructor(reader: LogReader) {
    const state = reader.state();
    if (state === undefined) throw new SiteError(`There is no record in the audit log ${reader.folder}: nothing can be proved yet.`);
    this.#reader = reader;
    this.note = state.note;
    this.checkpoint = state.checkpoint;
    this.#nodes = openNodes(reader, state.checkpoint);
    this.chain = this.#link(state.segment);
  }

  /** Throws SiteError. */
  include(seq: number): InclusionProof {
    const [entry] = this.enter([seq]);
    if (entry === undefined)
      throw new SiteError(`The record ${seq} is not in the audit log ${this.#reader.folder}, or was purged: it ends with ${this.checkpoint.size - 1}.`);
    return this.complete(entry);
  }

  /** Of several records, by their numbers, which ascend; those that are not there are left out. Throws SiteError. */
  enter(seqs: readonly number[]): Entry[] {
    const { size } = this.checkpoint;
    return [...this.#reader.textsAt(seqs.filter((seq) => seq < size))].map(({ seq, text }) => this.#enter(text, seq, size));
  }

  complete(entry: Entry): InclusionProof {
    return { type, kind: 'inclusion', ...entry, checkpoint: this.note, chain: this.chain };
  }

  /** From the text of an older checkpoint, whose signature is not judged. `name`: how the sentence calls it. Throws SiteError. */
  continue(old: string, name: string): ConsistencyProof {
    const before = readCheckpoint(old);
    const { log, size } = this.checkpoint;
    if (before === undefined) throw new SiteError(`${name} is no checkpoint of an audit log.`);
    if (before.log !== log) throw new SiteError(`${name} is a checkpoint of the log ${before.log}, and this is ${log}.`);
    if (before.size > size) throw new SiteError(`${name} tells of ${before.size} records, and the log has ${size}: it was cut, or is an older copy.`);
    const path = proveConsistency(this.#nodes, before.size, size).map(encode);
    return { type, kind: 'consistency', old, path, checkpoint: this.note, chain: this.chain };
  }

  [Symbol.dispose](): void {
    this.#nodes[Symbol.dispose]();
  }

  #enter(record: string, index: number, size: number): Entry {
    return { record, index, path: proveInclusion(this.#nodes, index, size).map(encode) };
  }

  /** A link for each segment before this one. */
  #link(number: number): Link[] {
    const names = listSegments(this.#reader.folder);
    const links = names.filter((name) => name.number < number).map((name) => this.#linkSegment(locateSegment(this.#reader.folder, name)));
    if (names[0]?.isStub === true) return links;
    const [first, ...rest] = links;
    const created = this.#reader.recordAt(0);
    if (created === undefined) throw damage(this.#reader.folder, 'expected the record 0, found none');
    if (first === undefined) return [{ created: this.#enter(created, 0, this.checkpoint.size) }];
    return [{ ...first, created: this.#enter(created, 0, first.index + 1) }, ...rest];
  }

  #linkSegment(path: string): Entry & { readonly checkpoint: string } {
    const { record, checkpoint } = readSegmentEnd(path);
    const size = readCheckpoint(checkpoint)?.size;
    if (size === undefined || size === 0) throw damage(path, 'expected a checkpoint of an audit log as its end, found another text');
    return { ...this.#enter(record, size - 1, size), checkpoint };
  }
}

/** The records of a request by its id, oldest first: `intent` and `outcome`, as far as they are there. */
export function findRequest(reader: LogReader, request: string): number[] {
  const found: number[] = [];
  const field = `"request":"${request}"`;
  for (const { record } of reader.recordsBack({}, field)) {
    if (!('request' in record) || record.request !== request) continue;
    found.unshift(record.seq);
    // Nothing of it stands before.
    if (record.event === 'intent') break;
  }
  return found;
}

function encode(hash: Uint8Array): string {
  return Buffer.from(hash).toString('base64');
}
