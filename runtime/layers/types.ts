/**
 * Owns the closed list of layers around our processes, and what can be said of each. Refuses behaviour.
 */

/**
 * The layers, the kernel's first.
 * `privileges`: no program that a process starts can gain rights (no_new_privs). `calls`: system calls that reach other processes, the
 * kernel or what outlives a process are refused. `sockets`: no socket of any family. `signals`: no signal to another process.
 * `files`: no file can be written. These five are of the engine and the text process, by the kernel.
 * `core-limit`, `core-memory`: no core file, and no memory in one that is piped; of the server as well.
 * `core-handler`: the machine pipes cores to no program. `swap`, `hibernation`: no memory gets to a disk as plain text.
 * `freed-memory`: the C library overwrites memory as it gets it back; of the server as well.
 * `driver-cache`: GPU drivers keep no compiled kernels on the disk.
 */
export const layerNames = [
  'privileges',
  'calls',
  'sockets',
  'signals',
  'files',
  'core-limit',
  'core-memory',
  'core-handler',
  'swap',
  'hibernation',
  'freed-memory',
  'driver-cache',
] as const;
/** One of `layerNames`. */
export type LayerName = (typeof layerNames)[number];

/** Why a layer is held: how it is known. */
export const heldReasons = ['read-back', 'tried', 'caches-only', 'no-swap', 'swap-forbidden', 'swap-in-memory', 'swap-encrypted', 'no-hibernation'] as const;
/** Why it is not. */
export const lackingReasons = [
  'no-python',
  'no-kernel-support',
  'no-library-support',
  'no-process',
  'not-set',
  'piped',
  'swap-on',
  'hibernation-on',
  'unreadable',
  'kept',
] as const;
/** How it is known that a layer is held, or why it is not. */
export type LayerReason = (typeof heldReasons)[number] | (typeof lackingReasons)[number];

/** One layer around our processes, as it was found; docs/hardening.md has the meaning of each reason. */
export interface Layer {
  readonly name: LayerName;
  readonly state: 'held' | 'not available';
  readonly reason: LayerReason;
}

export type Verdict = Omit<Layer, 'name'>;

export const held = (reason: (typeof heldReasons)[number]): Verdict => ({ state: 'held', reason });
export const lacking = (reason: (typeof lackingReasons)[number]): Verdict => ({ state: 'not available', reason });
