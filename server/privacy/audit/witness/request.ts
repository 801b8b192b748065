/**
 * Owns the body of `add-checkpoint` (C2SP tlog-witness): the size that the witness has, a proof from there, the checkpoint.
 * Refuses a body of another form.
 */
import { type Checkpoint, noteLimit, readCheckpoint } from '../note.ts';

/** Hashes of a proof that the specification has room for. */
const proofLimit = 63;
/** Largest body, in bytes: the size, the proof and the checkpoint. */
export const requestLimit: number = 32 + proofLimit * 45 + 1 + noteLimit;

export interface AddRequest {
  readonly oldSize: number;
  readonly proof: readonly Buffer[];
  readonly note: string;
  readonly checkpoint: Checkpoint;
}

export function formatRequest(oldSize: number, proof: readonly Uint8Array[], note: string): string {
  const lines = proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`);
  return `old ${oldSize}\n${lines.join('')}\n${note}`;
}

/** Undefined where it has another form, or the old size is above that of the checkpoint. */
export function parseRequest(body: string): AddRequest | undefined {
  const [, size, lines = '', note = ''] = /^old (0|[1-9]\d{0,15})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.*)$/s.exec(body) ?? [];
  const checkpoint = readCheckpoint(note);
  const oldSize = Number(size);
  if (checkpoint === undefined || !Number.isSafeInteger(oldSize) || oldSize > checkpoint.size) return undefined;
  const proof = lines.split('\n').slice(0, -1);
  return { oldSize, proof: proof.map((line) => Buffer.from(line, 'base64')), note, checkpoint };
}
