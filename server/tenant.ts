/**
 * Owns the one place where a request gets its tenant. There are no keys yet: whoever reaches the loopback address is the
 * same tenant. Takes nothing of a request, because a header or a field is only what a client claims; tenants come with
 * keys that the server itself has checked.
 */

/** A number of 32 bits. */
export function resolveTenant(): number {
  return 0;
}
