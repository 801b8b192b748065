/**
 * The program of tries.ts. Started with the path of a file that does not exist; without one it tries nothing. Nothing of it touches
 * another machine: what gets through reaches the discard port of this one, where as a rule nobody listens.
 */
import { createSocket } from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { createConnection, type NetConnectOpts } from 'node:net';
import type { Findings } from './tries.ts';

function attempt(action: () => unknown): string {
  try {
    action();
    return 'done';
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  return (error as { readonly code?: string }).code ?? 'unknown';
}

function connect(options: NetConnectOpts): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(options, () => resolve('done'));
    socket.once('error', (error) => resolve(codeOf(error))).unref();
  });
}

function send(): Promise<string> {
  return new Promise((resolve) => {
    try {
      const socket = createSocket('udp4');
      socket.once('error', (error) => resolve(codeOf(error)));
      socket.bind(0, '127.0.0.1', () => socket.close(() => resolve('done')));
    } catch (error) {
      resolve(codeOf(error));
    }
  });
}

const target = process.argv[2] ?? '';
const read = (name: string): string => readFileSync(`/proc/self/${name}`, 'latin1');
const untried = { tcp: 'untried', udp: 'untried', local: 'untried', file: 'untried', signal: 'untried' };
const tryAll = async (): Promise<Findings['outcomes']> => ({
  tcp: await connect({ host: '127.0.0.1', port: 9 }),
  udp: await send(),
  local: await connect({ path: `${target}.socket` }),
  file: attempt(() => writeFileSync(target, '', { flag: 'wx' })),
  // Number 0 is none: it asks whether one could be sent.
  signal: attempt(() => process.kill(process.ppid, 0)),
});
/** glibc fills what it gives out with the complement of what it overwrites with; otherwise there are zeros, or what was there. */
const given = Buffer.allocUnsafeSlow(2 ** 16);
const findings: Findings = {
  overwritesFreed: given[0] !== 0 && given.every((byte) => byte === given[0]),
  outcomes: target === '' ? untried : await tryAll(),
  texts: { status: read('status'), limits: read('limits'), coredumpFilter: read('coredump_filter'), environment: '' },
};
process.stdout.write(JSON.stringify(findings));
