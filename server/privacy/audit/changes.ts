/**
 * Owns the way of changes that commands have made from the store, where they wait in the same transaction as the change itself, to
 * the audit trail. Refuses to take one from the store before it is durable in a log.
 */
import type { Store } from '../store.ts';
import { type ProcessFacts, type Trail, tryTrail } from './trail.ts';

/** Throws Refusal (audit_unavailable) and SiteError; what was not moved then waits on. */
export async function recordChanges(trail: Pick<Trail, 'has' | 'record'>, store: Pick<Store, 'listChanges' | 'dropChanges'>): Promise<void> {
  const changes = (await store.listChanges()).map(({ place, event }) => ({ ...event, change: place }));
  if (changes.length === 0) return;
  // One that is there already was recorded by a process that ended before it could tell the store.
  await Promise.all(changes.filter((change) => !trail.has(change)).map((change) => trail.record(change)));
  await store.dropChanges(changes.at(-1)?.change ?? 1);
}

/** The same at the end of a command. Where a server runs nothing is done: it sees the change and records it. Throws SiteError. */
export async function recordFromCommand(site: string, store: Pick<Store, 'listChanges' | 'dropChanges'>, facts: ProcessFacts): Promise<void> {
  if ((await store.listChanges()).length === 0) return;
  await using trail = await tryTrail(site, store, { facts, roomSize });
  if (trail !== undefined) await recordChanges(trail, store);
}

/** A command writes little. */
const roomSize = 2 ** 16;
