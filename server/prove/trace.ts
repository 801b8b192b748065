/**
 * Owns the reading of what strace wrote (-f -y -ttt): which process opened which file for writing, gave it another name, made a socket, connected,
 * or set up a ring of system calls that strace does not see. Refuses to guess: a line that it does not understand is counted.
 */
/** What strace is told to follow. Nothing of it has what was read or written in it. */
export const tracedCalls: readonly string[] = [
  ...['clone', 'clone3', 'fork', 'vfork'],
  ...['open', 'openat', 'openat2', 'creat', 'rename', 'renameat', 'renameat2', 'link', 'linkat', 'truncate'],
  ...['socket', 'bind', 'connect', 'io_uring_setup'],
];

export type TraceEvent = {
  /** Of a thread. */
  readonly thread: number;
  /** Seconds of the epoch. */
  readonly time: number;
} & (
  | { readonly type: 'write'; readonly path: string }
  | { readonly type: 'socket'; readonly family: string; readonly isDatagram: boolean }
  | { readonly type: 'bind' | 'connect'; readonly family: string; readonly address: string }
  | { readonly type: 'ring'; readonly isPolled: boolean }
  | { readonly type: 'clone'; readonly child: number; readonly isThread: boolean }
);

export interface Trace {
  readonly events: readonly TraceEvent[];
  /** Calls that were traced and not understood. */
  readonly unknown: number;
}

/** All events in the order of the lines. */
export function readTrace(text: string): Trace {
  const waiting = new Map<string, string>();
  const events: TraceEvent[] = [];
  let unknown = 0;
  for (const line of text.split('\n')) {
    const [, thread = '', time = '', rest = ''] = /^(\d+) +(\d+\.\d+) (.*)$/.exec(line) ?? [];
    // Empty, a signal, or the end of a process.
    if (rest === '' || /^(?:---|\+\+\+) /.test(rest)) continue;
    const call = joinCall(rest, thread, waiting);
    if (call === undefined) continue;
    const event = readCall(call);
    if (event === 'unknown') unknown++;
    else if (event !== undefined) events.push({ thread: Number(thread), time: Number(time), ...event } as TraceEvent);
  }
  return { events, unknown };
}

/** A call that others came between is written in two parts. */
function joinCall(rest: string, thread: string, waiting: Map<string, string>): string | undefined {
  const unfinished = / <unfinished \.\.\.>$/.exec(rest);
  if (unfinished) {
    waiting.set(thread, rest.slice(0, unfinished.index));
    return undefined;
  }
  const resumed = /^<\.\.\. \w+ resumed>/.exec(rest);
  if (!resumed) return rest;
  const begin = waiting.get(thread) ?? '';
  waiting.delete(thread);
  return begin === '' ? undefined : `${begin}${rest.slice(resumed[0].length)}`;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
type Event = DistributiveOmit<TraceEvent, 'thread' | 'time'>;

/** Undefined: nothing of interest happened. */
function readCall(call: string): Event | 'unknown' | undefined {
  const [, name = '', body = '', result = ''] = /^(\w+)\((.*)\) += (\S.*)$/.exec(call) ?? [];
  if (name === '') return 'unknown';
  // A connection that was tried counts, whatever became of it.
  if (name === 'connect') return readAddress(name, body);
  // It failed, or the process ended in it.
  if (/^(?:-\d|\?)/.test(result)) return undefined;
  if (name === 'bind') return readAddress(name, body);
  if (name === 'socket') return { type: 'socket', family: /^(\w+)/.exec(body)?.[1] ?? 'unknown', isDatagram: !body.includes('SOCK_STREAM') };
  if (name === 'io_uring_setup') return { type: 'ring', isPolled: body.includes('IORING_SETUP_SQPOLL') };
  if (/^(?:clone3?|v?fork)$/.test(name)) return { type: 'clone', child: Number.parseInt(result, 10), isThread: body.includes('CLONE_THREAD') };
  if (/^open/.test(name) || name === 'creat') return readOpen(name, body, result);
  if (/^(?:rename|link)/.test(name)) return readNames(body);
  if (name === 'truncate') return toWrite(/^"(.*)", \d+$/.exec(body)?.[1]);
  return 'unknown';
}

function readAddress(type: 'bind' | 'connect', body: string): Event | 'unknown' {
  const [, family] = /\{sa_family=(\w+)/.exec(body) ?? [];
  if (family === undefined) return 'unknown';
  const address = /(?:inet_addr\(|inet_pton\(AF_INET6, |sun_path=@?)"([^"]*)"/.exec(body)?.[1] ?? '';
  const port = /sin6?_port=htons\((\d+)\)/.exec(body)?.[1];
  return { type, family, address: port === undefined ? address : `${address} port ${port}` };
}

/** With -y the result names the file as the kernel knows it. */
function readOpen(name: string, body: string, result: string): Event | 'unknown' | undefined {
  // What stands between quotes is the caller's, and may look like a flag.
  const flags = body.replace(/"(?:[^"\\]|\\.)*"|<(?:[^>\\]|\\.)*>/g, '');
  if (name !== 'creat' && !/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE/.test(flags)) return undefined;
  return toWrite(/^\d+<(.*?)>(?: |\(|$)/.exec(result)?.[1] ?? /"((?:[^"\\]|\\.)*)"/.exec(body)?.[1]);
}

/** The new name. */
function readNames(body: string): Event | 'unknown' {
  const names = [...body.matchAll(/(?:<((?:[^>\\]|\\.)*)>, )?"((?:[^"\\]|\\.)*)"/g)];
  const [, folder, name = ''] = names[1] ?? [];
  return toWrite(name === '' || name.startsWith('/') || folder === undefined ? name : `${folder}/${name}`);
}

function toWrite(path: string | undefined): Event | 'unknown' {
  return path === undefined || path === '' ? 'unknown' : { type: 'write', path };
}

/** The process of every thread: what a thread made as a thread belongs to its own. */
export function findProcesses({ events }: Trace): ReadonlyMap<number, number> {
  const owners = new Map<number, number>();
  const clones = events.filter((event) => event.type === 'clone');
  const ownerOf = (thread: number): number => owners.get(thread) ?? thread;
  // A thread makes others only after it was made; but the line that says so may come later.
  for (let changed = true; changed; ) {
    changed = false;
    for (const { thread, child, isThread } of clones) {
      const owner = isThread ? ownerOf(thread) : child;
      if (owners.get(child) === owner) continue;
      owners.set(child, owner);
      changed = true;
    }
  }
  return owners;
}
