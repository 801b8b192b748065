/**
 * Owns the rules between settings: which belong together, and that nothing but this machine is reached without TLS.
 */
import { isLoopback } from './kinds.ts';
import { SettingsError } from './resolve.ts';
import type { SettingName, Settings } from './table.ts';

/** Of the witness, in seconds: a pause between two checkpoints, a failure and another try must have room in it. */
const shortestLag = 5;

/** Throws SettingsError with the first broken rule. */
export function checkRules(settings: Settings): void {
  const { host, tlsCert, tlsClientCa, tlsClients, auditWitness, auditWitnessLag } = settings;
  checkTogether(settings, ['tlsCert', 'tlsKey']);
  checkTogether(settings, ['oidcIssuer', 'oidcAudience', 'oidcKeys']);
  if (tlsClientCa !== undefined && tlsCert === undefined) throw new SettingsError('The setting tlsClientCa needs TLS: set tlsCert and tlsKey too.');
  if (tlsClients === 'required' && tlsClientCa === undefined) {
    throw new SettingsError('The setting tlsClients is required, but no authority of client certificates is set: set tlsClientCa too.');
  }
  if (auditWitnessLag > 0 && auditWitness === undefined)
    throw new SettingsError('The setting auditWitnessLag needs a witness: set auditWitness too, or leave auditWitnessLag out.');
  if (auditWitnessLag > 0 && auditWitnessLag < shortestLag) {
    throw new SettingsError(
      `The setting auditWitnessLag is ${auditWitnessLag}: expected 0, or ${shortestLag} and more, because a witness gets a checkpoint a second.`,
    );
  }
  if (isLoopback(host) || tlsCert !== undefined) return;
  throw new SettingsError(`The setting host is ${host}, which other machines reach: set tlsCert and tlsKey, or a loopback address (127.0.0.1, ::1).`);
}

/** All of them or none. */
function checkTogether(settings: Settings, names: readonly SettingName[]): void {
  const given = names.filter((name) => settings[name] !== undefined);
  const missing = names.filter((name) => settings[name] === undefined);
  if (given.length === 0 || missing.length === 0) return;
  throw new SettingsError(`The settings ${names.join(', ')} go together; found ${given.join(' and ')} without ${missing.join(' and ')}.`);
}
