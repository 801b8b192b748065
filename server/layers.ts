/**
 * Owns how the layers around our processes are told to people: a line for the panel, a sentence for each reason.
 */
import type { Layer, LayerName, LayerReason } from '../runtime/index.ts';

/** `8 of 10 held; not available: swap (swap-on), core-handler (piped)`. */
export function summarizeLayers(layers: readonly Layer[]): string {
  const lacking = layers.filter(({ state }) => state !== 'held').map(({ name, reason }) => `${name} (${reason})`);
  const count = `${layers.length - lacking.length} of ${layers.length} held`;
  return lacking.length === 0 ? count : `${count}; not available: ${lacking.join(', ')}; inward doctor says more`;
}

/** What a layer keeps away. */
const meanings: Readonly<Record<LayerName, string>> = {
  privileges: 'engine and text process, and what they start, gain no rights',
  calls: 'system calls that reach other processes, the kernel or what outlives a process are refused to both',
  sockets: 'neither can open a socket',
  signals: 'neither can signal another process',
  files: 'neither can write a file',
  'core-limit': 'no process leaves a core file',
  'core-memory': 'a core that is written all the same holds no memory',
  'core-handler': 'cores are piped to no program',
  swap: 'no memory is swapped to a disk as plain text',
  hibernation: 'the machine writes no memory to a disk as plain text when it sleeps',
  'freed-memory': 'the C library overwrites memory as it gets it back',
  'driver-cache': 'GPU drivers keep no compiled kernels',
};

const reasons: Readonly<Record<LayerReason, string>> = {
  'read-back': 'read back from /proc',
  tried: 'a process tried, and was refused',
  'caches-only': 'a process tried, and was refused; the caches of compiled code may be written, which is for evaluation only',
  'no-swap': 'this machine has no swap',
  'swap-forbidden': 'the control group may not swap',
  'swap-in-memory': 'swap is compressed memory (zram)',
  'swap-encrypted': 'swap is on encrypted devices; a key that outlives the boot opens them later',
  'no-hibernation': 'this kernel cannot hibernate',
  'no-python': 'needs a Python 3 that runs at /usr/bin or /usr/local/bin: install it',
  'no-kernel-support': 'this kernel or container does not let a process have it: Linux 6.12 has all, 5.13 files, and seccomp must be allowed',
  'no-library-support': 'this C library does not do it: glibc 2.26 and later do',
  'no-process': 'is told by a server: GET /inward/status',
  'not-set': 'a process lacks it: start by the command inward, with prlimit (util-linux) installed for core files, or set LimitCORE=0 in the unit',
  piped: 'the program that core_pattern names gets cores whatever their limit: set kernel.core_pattern=core',
  'swap-on': 'there is swap in plain text: swapoff -a, or MemorySwapMax=0 in the unit; a start for PHI is refused until then',
  'hibernation-on': 'the kernel can hibernate to swap in plain text, even if systemd is told not to: nohibernate on its command line, or swapoff -a',
  unreadable: '/proc does not say',
  kept: 'compiled kernels are kept, which is for evaluation only',
};

/** For `inward doctor`. */
export function describeReason({ name, reason }: Layer): string {
  return `${meanings[name]}: ${reasons[reason]}`;
}
