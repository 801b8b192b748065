/**
 * Owns the two claims about the network: nobody is connected to, and only the server itself has sockets of the network. By the trace;
 * without one, by looking at the kernel's tables ten times a second, which sees what lasts.
 */
import { doubt, type Finding, judge, type Place } from '../claims.ts';
import { listSockets } from '../processes.ts';
import type { Trace } from '../trace.ts';
import type { ProcessKind, Watched } from '../tree.ts';
import type { Scene } from './files.ts';

const isNetwork = (family: string): boolean => family === 'AF_INET' || family === 'AF_INET6' || family === 'AF_PACKET';
/** Questions to the machine's own name service, which libraries of the system ask. */
const localForm = /^\/(?:var\/)?run\/nscd\/socket$/;
const lookMs = 100;

/** Looks while the server runs. */
export class SocketWatch implements Disposable {
  readonly #timer: NodeJS.Timeout;
  /** Sockets that lead somewhere else than to the server's port. */
  readonly outbound: Map<string, Place> = new Map();
  /** Of processes that should have none. */
  readonly inner: Map<string, Place> = new Map();
  looks = 0;

  constructor(server: Watched, port: number) {
    this.#timer = setInterval(() => this.#look(server, port), lookMs);
    this.#timer.unref();
  }

  #look(server: Watched, port: number): void {
    this.looks++;
    for (const { pid, kind } of server.look()) {
      for (const { protocol, localPort, remote, isListening } of listSockets(pid)) {
        const place = (where: string): Place => ({ where, process: kind, count: 1 });
        if (localPort !== port && !isListening) this.outbound.set(`${kind} ${remote}`, place(`${protocol} to ${remote}`));
        if (kind !== 'server') this.inner.set(`${kind} ${protocol}`, place(`a socket of ${protocol}`));
      }
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

export function judgeNetwork(trace: Trace | undefined, watch: SocketWatch, { kindOf, markers, span }: Scene): Finding {
  const seen = [...watch.outbound.values()];
  if (trace === undefined) return doubt('network', seen, withoutTrace(watch));
  // A socket of the server's own, by which it talks to itself.
  const own = new Set(trace.events.flatMap((event) => (event.type === 'bind' && event.family === 'AF_UNIX' ? [event.address] : [])));
  const places = trace.events.flatMap((event): Place[] => {
    if (event.type === 'connect' && event.family === 'AF_UNIX' && own.has(event.address)) return [];
    if (event.type !== 'connect' || (event.family === 'AF_UNIX' && localForm.test(event.address)) || event.family === 'AF_NETLINK') return [];
    return [{ where: markers.hide(`${event.family} ${event.address}`), process: kindOf(event.thread), count: 1 }];
  });
  const datagrams = trace.events.flatMap((event): Place[] =>
    event.type === 'socket' && isNetwork(event.family) && event.isDatagram
      ? [{ where: `a datagram socket of ${event.family}`, process: kindOf(event.thread), count: 1 }]
      : [],
  );
  return judge(
    'network',
    [...places, ...datagrams, ...(places.length === 0 ? seen : [])],
    `Every connection that was tried, and every socket for datagrams, was traced ${span}.`,
  );
}

export function judgeIsolation(trace: Trace | undefined, watch: SocketWatch, { kindOf, span }: Scene): Finding {
  const seen = [...watch.inner.values()];
  if (trace === undefined) return doubt('isolation', seen, withoutTrace(watch));
  const isInner = (kind: ProcessKind): boolean => kind !== 'server';
  const places = trace.events.flatMap((event): Place[] =>
    event.type === 'socket' && isNetwork(event.family) && isInner(kindOf(event.thread))
      ? [{ where: `a socket of ${event.family}`, process: kindOf(event.thread), count: 1 }]
      : [],
  );
  return judge('isolation', places.length === 0 ? seen : places, `Every socket that a process of the server made was traced ${span}.`);
}

const withoutTrace = ({ looks }: SocketWatch): string =>
  `strace is not installed or may not be used here: sockets were looked at ${looks} times, ten times a second, and what lasts less is not seen.`;
