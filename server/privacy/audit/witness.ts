/**
 * Owns the choice of the witness by the setting `auditWitness`. What each kind does is in witness/. Refuses a setting of another
 * form, and a place that cannot be used.
 */
import { SiteError } from '../errors.ts';
import { CommandWitness } from './witness/command.ts';
import type { Witness } from './witness/contract.ts';
import { FileWitness } from './witness/file.ts';
import { HttpWitness } from './witness/http.ts';
import { parseWitness, witnessForms } from './witness/setting.ts';

export type { Witness, WitnessCode, Witnessed } from './witness/contract.ts';
export { WitnessError } from './witness/contract.ts';
export { WitnessFollower } from './witness/follower.ts';

/** The log that is witnessed. */
export interface WitnessedLog {
  readonly id: string;
  /** Where the logs of the site are; no witness may be there. */
  readonly folder: string;
}

/** `manifestOutbound`: the destinations of the manifest that is in force, asked before each request. Throws SiteError. */
export async function openWitness(setting: string, manifestOutbound: () => readonly string[], log: WitnessedLog): Promise<Witness> {
  const place = parseWitness(setting);
  if (place === undefined) throw new SiteError(`The setting auditWitness cannot be used: expected ${witnessForms}, found another form.`);
  if (place.kind === 'file') return FileWitness.open(place.path, log.id, log.folder);
  if (place.kind === 'command') return new CommandWitness(place.path);
  return new HttpWitness({ url: place.url, destination: place.destination, manifestOutbound });
}
