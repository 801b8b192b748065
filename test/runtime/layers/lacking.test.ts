/**
 * What is told where a kernel or container does not let a process have a layer: seen from inside of a filter that answers ENOSYS
 * to the calls that set it, as such a kernel does.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeEach, expect, test } from 'vitest';
import { findPython } from '../../../runtime/launch.ts';
import type { Layer } from '../../../runtime/layers/types.ts';

/** Numbers of x86-64: landlock_create_ruleset, seccomp. */
const calls = { landlock: 444, seccomp: 317 } as const;

/** prctl 22 with 2 sets a filter, as seccomp(2) does; 0x50026 answers errno 38. */
const program = `import ctypes, os, struct, sys
denied = [int(number) for number in sys.argv[1].split(',')]
lines = [(32, 0, 0, 0)] + [(21, len(denied) - index, 0, number) for index, number in enumerate(denied)] + [(6, 0, 0, 0x7fff0000), (6, 0, 0, 0x50026)]
code = ctypes.create_string_buffer(b''.join(struct.pack('=HBBI', *line) for line in lines))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.create_string_buffer(struct.pack('@HP', len(lines), ctypes.addressof(code)))) == 0
os.execv(sys.argv[2], sys.argv[2:])`;

const look = `import { examineLayers } from ${JSON.stringify(new URL('../../../runtime/layers/layers.ts', import.meta.url).href)};
process.stdout.write(JSON.stringify(await examineLayers()))`;

async function examineWithout(...numbers: readonly number[]): Promise<string[]> {
  const values = ['-c', program, numbers.join(), process.execPath, '--input-type=module', '-e', look];
  const { stdout } = await promisify(execFile)(findPython() ?? '', values);
  const ofKernel = ['privileges', 'calls', 'sockets', 'signals', 'files'];
  return (JSON.parse(stdout) as readonly Layer[]).filter(({ name }) => ofKernel.includes(name)).map(({ name, reason }) => `${name}: ${reason}`);
}

beforeEach((context) => context.skip(findPython() === undefined || process.arch !== 'x64', 'needs Linux on x86-64 with Python 3'));

test.each([
  [[calls.landlock], ['privileges: read-back', 'calls: read-back', 'sockets: tried', 'signals: no-kernel-support', 'files: no-kernel-support']],
  // Then the one filter that a process has is not ours.
  [
    [calls.landlock, calls.seccomp],
    ['privileges: read-back', 'calls: no-kernel-support', 'sockets: no-kernel-support', 'signals: no-kernel-support', 'files: no-kernel-support'],
  ],
])('without the calls %o', async (numbers, expected) => {
  expect(await examineWithout(...numbers)).toEqual(expected);
});
