/**
 * A process that writes to a store until it is killed: it adds a key, revokes it, and replaces another one again and again,
 * and says on a line of its own what has been made durable. Usage: write-store.ts PATH
 */
import { setTimeout } from 'node:timers/promises';
import { openStore } from '../../../server/privacy/store/sqlite.ts';
import { createKey, now } from './site.ts';

await using store = await openStore(process.argv[2] ?? '');
let current = createKey();
await store.addKey(current);
for (let at = now; ; at++) {
  const key = createKey();
  await store.addKey(key);
  await store.revokeKey(key.id, 'writer', at);
  const next = createKey({ replaces: current.id });
  await store.replaceKey(next, 'writer', at);
  await store.addUsage(20_000, [{ scope: 'key', id: key.id, tokens: 1 }]);
  // A write to a pipe is synchronous: what was said is true also of a process that is killed right after.
  process.stdout.write(`${key.id} ${current.id}\n`);
  current = next;
  // Leaves room for other writers: SQLite has no queue for them.
  await setTimeout(10);
}
