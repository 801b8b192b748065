/** Lines as strace 6.1 writes them, by hand. */
import { expect, test } from 'vitest';
import { findProcesses, readTrace, type TraceEvent } from '../../../server/prove/trace.ts';

const read = (...lines: string[]): readonly TraceEvent[] =>
  readTrace(lines.map((line, index) => `${index + 10} 1795665435.5${index} ${line}`).join('\n')).events;
const writes = (...lines: string[]): string[] => read(...lines).flatMap((event) => (event.type === 'write' ? [event.path] : []));

test('files that are opened for writing, by the name that the kernel knows', () => {
  expect(
    writes(
      'openat(AT_FDCWD</srv>, "log.txt", O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0666) = 21</srv/log.txt>',
      'open("/dev/null", O_RDWR) = 1</dev/null>',
      'creat("/var/x", 0600) = 4',
      'openat2(5</a>, "b", {flags=O_RDWR|O_CREAT, mode=0600, resolve=0}, 24) = 6</a/b>',
      'openat(AT_FDCWD</var>, "/var", O_RDWR|O_EXCL|O_TMPFILE, 0600) = 7</var/#123 (deleted)>',
    ),
  ).toEqual(['/srv/log.txt', '/dev/null', '/var/x', '/a/b', '/var/#123 (deleted)']);
});

test('what is read, and what was not opened, is none', () => {
  expect(
    writes(
      'openat(AT_FDCWD</srv>, "create_O_RDWR.ts", O_RDONLY|O_CLOEXEC) = 21</srv/create_O_RDWR.ts>',
      'openat(AT_FDCWD</O_WRONLY>, "x", O_RDONLY) = 21</O_WRONLY/x>',
      'openat(AT_FDCWD</srv>, "/etc/x", O_WRONLY) = -1 EACCES (Permission denied)',
    ),
  ).toEqual([]);
});

test('a file that gets another name', () => {
  expect(
    writes(
      'rename("/a/draft", "/a/final") = 0',
      'renameat2(AT_FDCWD</srv>, "x", AT_FDCWD</srv>, "y", RENAME_NOREPLACE) = 0',
      'linkat(3</a>, "x", 4</b>, "y", 0) = 0',
      'truncate("/a/z", 0) = 0',
    ),
  ).toEqual(['/a/final', '/srv/y', '/b/y', '/a/z']);
});

test('sockets and connections, also those that failed', () => {
  expect(
    read(
      'socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, IPPROTO_IP) = 31<socket:[1205134]>',
      'connect(31<socket:[1205134]>, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.7")}, 16) = -1 EINPROGRESS (Operation now in progress)',
      'connect(31<socket:[1]>, {sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 0',
      'bind(5<socket:[3]>, {sa_family=AF_UNIX, sun_path=@"own"}, 6) = 0',
      'bind(5<socket:[3]>, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 EACCES (Permission denied)',
      'connect(9<socket:[2]>, {sa_family=AF_UNIX, sun_path="/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)',
    ).map(({ thread: _, time: __, ...event }) => event),
  ).toEqual([
    { type: 'socket', family: 'AF_INET', isDatagram: false },
    { type: 'connect', family: 'AF_INET', address: '192.0.2.7 port 443' },
    { type: 'connect', family: 'AF_INET6', address: '2001:db8::1 port 53' },
    { type: 'bind', family: 'AF_UNIX', address: 'own' },
    { type: 'connect', family: 'AF_UNIX', address: '/run/nscd/socket' },
  ]);
});

test('a call that others came between is read as one', () => {
  const trace = readTrace(
    [
      '10 1.5 openat(AT_FDCWD</w>, "a", O_WRONLY <unfinished ...>',
      '11 1.6 socket(AF_INET, SOCK_DGRAM, IPPROTO_IP) = 4<socket:[7]>',
      '10 1.7 <... openat resumed>) = 5</w/a>',
      '12 1.8 +++ exited with 0 +++',
      '12 1.8 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER} ---',
    ].join('\n'),
  );
  expect(trace).toEqual({
    events: [
      { thread: 11, time: 1.6, type: 'socket', family: 'AF_INET', isDatagram: true },
      { thread: 10, time: 1.7, type: 'write', path: '/w/a' },
    ],
    unknown: 0,
  });
});

test('rings, and those that the kernel polls', () => {
  expect(
    read(
      'io_uring_setup(256, {flags=0x10000 /* IORING_SETUP_??? */, sq_entries=256}) = 4<anon_inode:[io_uring]>',
      'io_uring_setup(64, {flags=IORING_SETUP_SQPOLL, sq_thread_idle=10}) = 5<anon_inode:[io_uring]>',
      'io_uring_setup(64, {flags=0}) = -1 EPERM (Operation not permitted)',
    ).map((event) => event.type === 'ring' && event.isPolled),
  ).toEqual([false, true]);
});

test('threads belong to their process, also where the line that made them comes late', () => {
  const text = [
    '100 1.0 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[102]}, 88) = 102',
    '101 1.1 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[103]}, 88) = 103',
    '100 1.2 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 101',
    '102 1.3 vfork() = 104',
  ].join('\n');
  expect([...findProcesses(readTrace(text))].sort(([a], [b]) => a - b)).toEqual([
    [101, 101],
    [102, 100],
    [103, 101],
    [104, 104],
  ]);
});

test('a line that is not understood is counted', () => {
  expect(readTrace('10 1.5 connect(3, 0x7ffe, 16) = 0\n10 1.6 strange\n').unknown).toBe(2);
});
