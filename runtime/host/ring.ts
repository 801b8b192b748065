/**
 * Owns the pipes between the processes of stages: one from the stage before, one to the next. Refuses to read before somebody listens: until then
 * the system keeps what comes.
 */
import { Link } from '../link/link.ts';
import type { Ring, RingMessage } from '../stages/ring.ts';

/** Places of the pipes in a process that launcher.ts has started; behind the link to the parent. */
const descriptors = { before: 4, next: 5 } as const;

export function createRing(): Ring {
  const next = Link.over<RingMessage, never>(descriptors.next);
  return {
    send: (message) => next.send(message),
    listen: (listener) => Link.over<never, RingMessage>(descriptors.before).listen(listener),
  };
}
