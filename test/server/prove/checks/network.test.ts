/** What of a trace is a connection to somebody else, and whose sockets are none of the server's. */
import { expect, test } from 'vitest';
import type { Scene } from '../../../../server/prove/checks/files.ts';
import { judgeIsolation, judgeNetwork, SocketWatch } from '../../../../server/prove/checks/network.ts';
import { Markers } from '../../../../server/prove/markers.ts';
import { readTrace } from '../../../../server/prove/trace.ts';
import type { ProcessKind } from '../../../../server/prove/tree.ts';

const kinds: Readonly<Record<number, ProcessKind>> = { 1: 'server', 2: 'engine', 3: 'text' };
const scene: Scene = {
  folder: '/none',
  site: '/none/site/',
  environment: {},
  served: 0,
  span: 'for a test',
  markers: new Markers(),
  kindOf: (thread) => kinds[thread] ?? 'other',
};
using watch = new SocketWatch({ look: () => [] }, 8080);
const traceOf = (...lines: string[]) => readTrace(lines.join('\n'));

const listening = '1 1.0 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 31<socket:[5]>';
const own = [
  '1 1.1 bind(32<socket:[6]>, {sa_family=AF_UNIX, sun_path=@"inward-own"}, 13) = 0',
  '1 1.2 connect(33<socket:[7]>, {sa_family=AF_UNIX, sun_path=@"inward-own"}, 13) = 0',
];

test('a server that listens and talks to itself connects to nobody', () => {
  expect(judgeNetwork(traceOf(listening, ...own), watch, scene)).toMatchObject({ result: 'passed', places: [] });
  expect(judgeIsolation(traceOf(listening, ...own), watch, scene).result).toBe('passed');
});

test.each([
  [
    '1 1.3 connect(9<socket:[2]>, {sa_family=AF_INET, sin_port=htons(514), sin_addr=inet_addr("192.0.2.9")}, 16) = -1 ECONNREFUSED (Connection refused)',
    'AF_INET 192.0.2.9 port 514',
    'server',
  ],
  ['3 1.3 connect(9<socket:[2]>, {sa_family=AF_UNIX, sun_path="/dev/log"}, 110) = 0', 'AF_UNIX /dev/log', 'text'],
  ['2 1.3 socket(AF_INET6, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 9<socket:[8]>', 'a datagram socket of AF_INET6', 'engine'],
])('%s', (line, where, process) => {
  expect(judgeNetwork(traceOf(listening, ...own, line), watch, scene)).toMatchObject({ result: 'failed', places: [{ where, process, count: 1 }] });
});

test('a socket of the engine is told, also one that listens', () => {
  const line = '2 1.3 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 9<socket:[8]>';
  expect(judgeIsolation(traceOf(listening, line), watch, scene)).toMatchObject({
    result: 'failed',
    places: [{ where: 'a socket of AF_INET', process: 'engine' }],
  });
});

test('without a trace nothing is proven', () => {
  expect(judgeNetwork(undefined, watch, scene).result).toBe('not proven');
  expect(judgeIsolation(undefined, watch, scene).result).toBe('not proven');
});
