/**
 * Owns the witness that is a file, on a second disk or a share. Refuses one in the folder of the log, which would be set back
 * together with it.
 */
import { realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { SiteError } from '../../errors.ts';
import { codeOf } from '../../files.ts';
import { readCheckpoint } from '../note.ts';
import { checkContinuation } from './continuation.ts';
import { type KeptCheckpoint, prove, type Witness, WitnessError, type Witnessed } from './contract.ts';
import { NoteFile } from './notes.ts';

export class FileWitness implements Witness {
  readonly #notes: NoteFile;
  #last: KeptCheckpoint | undefined;

  private constructor(notes: NoteFile, last: KeptCheckpoint | undefined) {
    this.#notes = notes;
    this.#last = last;
  }

  /** `log`: its id; `folder`: where the logs are. Throws SiteError. */
  static async open(path: string, log: string, folder: string): Promise<FileWitness> {
    checkPlace(path, folder);
    const notes = await NoteFile.open(path);
    return new FileWitness(notes, await notes.find(log));
  }

  lastSeen(): KeptCheckpoint | undefined {
    return this.#last;
  }

  async keep(checkpoint: Witnessed): Promise<void> {
    const { note } = checkpoint;
    const next = readCheckpoint(note);
    if (next === undefined) throw new WitnessError('unprovable');
    await this.#notes.keep(note, (last) => {
      const canProve = last !== undefined && last.size <= next.size;
      checkContinuation(last, next, canProve ? prove(checkpoint, last.size) : []);
    });
    this.#last = { ...next, note };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function checkPlace(path: string, folder: string): void {
  let way: string;
  try {
    way = relative(realpathSync(folder), join(realpathSync(dirname(path)), 'x'));
  } catch (error) {
    throw new SiteError(`The file ${path} of the audit witness cannot be used: expected a folder for it that is there, found none (${codeOf(error)}).`);
  }
  if (way.startsWith('..')) return;
  throw new SiteError(
    `The file ${path} of the audit witness is in the folder of the audit log, with which it would be set back: expected one on another disk or share; set auditWitness.`,
  );
}
