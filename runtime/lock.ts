/**
 * Owns the moment from which a process that launch.ts started can open no file any more. Refuses to undo it: Node cannot.
 */
import { flushCompileCache } from 'node:module';

/** All that is needed is loaded: from here on this process can neither read nor write a file. Before Node 24.21 it could never write, and may go on reading. */
export function lockFiles(): void {
  flushCompileCache();
  // Not yet in the types.
  (process.permission as { drop?(scope: string): void } | undefined)?.drop?.('fs');
}
