/**
 * Owns the closed list of claims that a proof judges, and the form of what was found about each. Refuses free text of a request: what is told
 * is made of counts, names of processes, and places whose names went through `Markers.hide`.
 */
import type { ProcessKind } from './tree.ts';

/** In the order of the report. */
const table = {
  files: 'While it serves, the server opens no file for writing but those of its store and its audit trail.',
  traces: 'No marker is in any file that was written, nor in its name.',
  streams: 'No marker is in what the server prints: standard output, log and errors.',
  metrics: 'No marker is in the metrics and in the state of the server.',
  refusals: 'No refusal quotes what was asked.',
  cache: 'Every answer says that it must not be stored (cache-control: no-store).',
  network: 'The server connects to nobody.',
  isolation: 'The processes that compute and read text have no network socket at all.',
  memory: 'After the last request no marker is left in the memory of any process.',
  device: 'Everything that held requests on the device reads as zero when the server ends.',
  core: 'No process can leave a core file with what was in its memory.',
  swap: 'Memory of the server cannot reach a disk by swapping or hibernation.',
  flags: 'No flag, variable or signal makes a process show or write its memory.',
} as const;

export type Claim = keyof typeof table;
export const claims: Readonly<Record<Claim, string>> = table;
export const claimNames: readonly Claim[] = Object.keys(table) as Claim[];

export const results: readonly ['passed', 'failed', 'not proven'] = ['passed', 'failed', 'not proven'];
export type Result = (typeof results)[number];

export interface Place {
  /** File, stream, address, route or limit. */
  readonly where: string;
  readonly process: ProcessKind | 'none';
  readonly count: number;
}

export interface Finding {
  readonly claim: Claim;
  readonly result: Result;
  /** One sentence: what was looked at, or why it could not be. */
  readonly told: string;
  /** What speaks against it. */
  readonly places: readonly Place[];
}

/** Passed where nothing speaks against it. */
export function judge(claim: Claim, places: readonly Place[], told: string): Finding {
  return { claim, result: places.length === 0 ? 'passed' : 'failed', told, places: mergePlaces(places) };
}

/** What was found speaks against it; that nothing was found would say nothing. */
export function doubt(claim: Claim, places: readonly Place[], reason: string): Finding {
  return { claim, result: places.length === 0 ? 'not proven' : 'failed', told: reason, places: mergePlaces(places) };
}

/** Places that a report names; the rest is counted in the last of them. */
const placeLimit = 20;

function mergePlaces(places: readonly Place[]): Place[] {
  const merged = new Map<string, Place>();
  for (const place of places) {
    const key = `${place.process} ${place.where}`;
    merged.set(key, { ...place, count: place.count + (merged.get(key)?.count ?? 0) });
  }
  const all = [...merged.values()];
  const rest = all.slice(placeLimit);
  if (rest.length === 0) return all;
  return [...all.slice(0, placeLimit), { where: `${rest.length} more places`, process: 'none', count: rest.reduce((sum, { count }) => sum + count, 0) }];
}

/** In the order of the report. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => claimNames.indexOf(a.claim) - claimNames.indexOf(b.claim));
}

/** Of all claims together. */
export function summarize(findings: readonly Finding[]): Result {
  if (findings.some(({ result }) => result === 'failed')) return 'failed';
  return findings.length > 0 && findings.every(({ result }) => result === 'passed') ? 'passed' : 'not proven';
}
