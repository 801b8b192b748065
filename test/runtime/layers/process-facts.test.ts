/** What /proc says of a process, in the forms that proc(5) gives. */
import { expect, test } from 'vitest';
import { parseProcess, readProcess } from '../../../runtime/layers/process-facts.ts';

const limits = (core: string): string =>
  [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max cpu time              unlimited            unlimited            seconds   ',
    `Max core file size        ${core}            bytes     `,
    'Max resident set          unlimited            unlimited            bytes     ',
  ].join('\n');

const texts = {
  status: 'Name:\tnode\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n',
  limits: limits('0                    unlimited'),
  coredumpFilter: '00000033\n',
  environment:
    'HOME=/root\0GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.perturb=85\0VK_DRIVER_FILES=/x.json\0MESA_SHADER_CACHE_DISABLE=true\0__GL_SHADER_DISK_CACHE=0\0',
};

test('reads locks, core limits, kinds of memory in a core, and the switches of drivers', () => {
  expect(parseProcess(texts)).toEqual({
    overwritesFreed: true,
    hasNoNewPrivileges: true,
    filterCount: 3,
    coreLimits: [0, Number.POSITIVE_INFINITY],
    // Bits 0, 1, 4 and 5 of core(5).
    coreMemory: 51,
    keepsNoKernels: true,
  });
});

test('no filter mode is no filter, strict mode neither; a kernel that does not count has one at least', () => {
  for (const mode of [0, 1]) expect(parseProcess({ ...texts, status: `NoNewPrivs:\t0\nSeccomp:\t${mode}\nSeccomp_filters:\t0\n` }).filterCount).toBe(0);
  expect(parseProcess({ ...texts, status: 'Seccomp:\t2\n' })).toMatchObject({ filterCount: 1, hasNoNewPrivileges: false });
});

test('limits that cannot be read are no limits, a filter that cannot be read is not 0', () => {
  const facts = parseProcess({ ...texts, limits: '', coredumpFilter: '' });
  expect(facts.coreLimits).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  expect(facts.coreMemory).not.toBe(0);
});

test('one switch of two is not both; a process without a driver has nothing to switch', () => {
  expect(parseProcess({ ...texts, environment: 'VK_DRIVER_FILES=/x\0__GL_SHADER_DISK_CACHE=0\0' }).keepsNoKernels).toBe(false);
  expect(parseProcess({ ...texts, environment: '' }).keepsNoKernels).toBeUndefined();
});

test('a C library that has cut the text of its variable was told all the same', () => {
  const environment = 'GLIBC_TUNABLES=glibc.malloc.perturb=85\0glibc.malloc.tcache_count=0\0A=1\0';
  expect(parseProcess({ ...texts, environment }).overwritesFreed).toBe(true);
});

test('a C library that is told half of it is not told', () => {
  for (const value of ['', 'glibc.malloc.perturb=85', 'glibc.malloc.tcache_count=0', 'glibc.malloc.perturb=0:glibc.malloc.tcache_count=0']) {
    expect([value, parseProcess({ ...texts, environment: `GLIBC_TUNABLES=${value}\0` }).overwritesFreed]).toEqual([value, false]);
  }
});

test('a process that is not there is not looked at', () => {
  expect(readProcess('self')?.filterCount).toBeTypeOf('number');
  // Above the highest number that Linux gives (PID_MAX_LIMIT, 2^22).
  expect(readProcess(2 ** 22 + 1)).toBeUndefined();
});
