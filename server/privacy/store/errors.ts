/**
 * Owns what goes wrong below the store, as sentences for administrators. Refuses to pass on what SQLite says: its messages can
 * quote values.
 */
import { SiteError } from '../errors.ts';

/** The file is not what was written: nothing in it may be believed. */
export class DamagedError extends SiteError {
  constructor(name: string, found: string) {
    super(`${name} is damaged: ${found}; restore a backup.`);
  }
}

/** Result codes of SQLite (https://www.sqlite.org/rescode.html) that are no damage. */
const sentences: Readonly<Record<number, string>> = {
  5: 'is in use by another process that does not give it back: try again, or end that process.',
  6: 'is in use by another process that does not give it back: try again, or end that process.',
  8: 'cannot be written: expected a file and a folder that this user may write.',
  10: 'cannot be read or written: the disk reports an error.',
  13: 'cannot be written: the disk is full.',
  14: 'cannot be opened: expected a file and a folder that this user may read and write.',
  19: 'refused a value: it does not have the form that the store keeps.',
};

/** What was thrown, as a SiteError. `name` is how the sentence calls the file. */
export function explainStoreError(error: unknown, name: string): SiteError {
  if (error instanceof SiteError) return error;
  const { errcode, code } = error as { readonly errcode?: unknown; readonly code?: unknown };
  if (code === 'ERR_INVALID_STATE') return new SiteError(`${name} has been closed.`);
  const sentence = typeof errcode === 'number' ? sentences[errcode & 0xff] : undefined;
  return sentence === undefined ? new DamagedError(name, 'it cannot be read as a store') : new SiteError(`${name} ${sentence}`);
}
