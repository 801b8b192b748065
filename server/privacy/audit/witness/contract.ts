/**
 * Owns what a witness is to the log: a second place that has its checkpoints; and what it says no with, from one closed table.
 * Refuses free text in an error: nothing of an answer of the second place is quoted.
 */
import { SiteError } from '../../errors.ts';
import type { Checkpoint } from '../note.ts';

/** A checkpoint of the log that is durable here. */
export interface Witnessed {
  /** With its signature. */
  readonly note: string;
  /** Records. */
  readonly size: number;
  /** RFC 6962 section 2.1.2: that the first `oldSize` records are the beginning of its records. */
  proveFrom(oldSize: number): Uint8Array[];
}

/** A checkpoint that a second place has. */
export interface KeptCheckpoint extends Checkpoint {
  readonly note: string;
}

/** A second place. Dispose ends a `keep` that is under way. */
export interface Witness extends AsyncDisposable {
  /** Gives the checkpoint to the second place; resolves when that has it durably. One at a time. Throws WitnessError. */
  keep(checkpoint: Witnessed): Promise<void>;
  /** The newest checkpoint that it has of this log, where it can be read; signatures are not judged. */
  lastSeen(): KeptCheckpoint | undefined;
}

const table = {
  not_permitted: 'The manifest does not name the host and port of the audit witness as an outbound destination.',
  unreachable: 'The audit witness cannot be reached, or its certificate is not trusted.',
  timeout: 'The audit witness did not answer in time.',
  protocol: 'The audit witness gave an answer that the protocol add-checkpoint does not have.',
  unknown_log: 'The audit witness does not know this log: give it a key of the log.',
  key_refused: 'The audit witness does not take the signature of this log: give it the key of the present segment.',
  rolled_back: 'The audit witness has seen more records than the log has: the log was set back to an older copy.',
  forked: 'What the audit witness has seen is not the beginning of this log: there are two logs with one id, or records were changed.',
  unwritable: 'The file of the audit witness cannot be written.',
  command_failed: 'The command that is the audit witness did not end with exit code 0.',
  unprovable: 'The log cannot prove to the audit witness that it has only grown.',
  closed: 'The audit witness was closed.',
} as const;

/** Why a witness does not have a checkpoint. */
export type WitnessCode = keyof typeof table;

export class WitnessError extends SiteError {
  readonly code: WitnessCode;

  constructor(code: WitnessCode) {
    super(table[code]);
    this.code = code;
  }
}

/** Throws WitnessError where the log cannot read its own hashes. */
export function prove(checkpoint: Witnessed, oldSize: number): Uint8Array[] {
  try {
    return checkpoint.proveFrom(oldSize);
  } catch {
    throw new WitnessError('unprovable');
  }
}
