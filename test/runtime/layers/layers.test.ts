/** The judgement, from facts that are made up; and the report of this machine, with a text process in it. */
import { afterAll, expect, test } from 'vitest';
import { findPython, listProcesses } from '../../../runtime/launch.ts';
import { examineLayers, judgeLayers, type LayerFacts } from '../../../runtime/layers/layers.ts';
import type { ProcessFacts } from '../../../runtime/layers/process-facts.ts';
import { tryLocks } from '../../../runtime/layers/tries.ts';
import { held, type LayerName, layerNames } from '../../../runtime/layers/types.ts';
import { openText } from '../../../runtime/text/index.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../../gguf-file.ts';

const own: ProcessFacts = { overwritesFreed: true, hasNoNewPrivileges: false, filterCount: 0, coreLimits: [0, 0], coreMemory: 0, keepsNoKernels: undefined };
const child: ProcessFacts = { ...own, hasNoNewPrivileges: true, filterCount: 1 };
const engine: ProcessFacts = { ...child, keepsNoKernels: true };
const refused = { tcp: true, udp: true, local: true, file: true, signal: true };
const good: LayerFacts = {
  hasPython: true,
  own,
  children: [child, engine],
  tries: { refused, facts: child, overwritesFreed: true },
  corePattern: 'core',
  swap: held('no-swap'),
  hibernation: held('no-swap'),
};

function judge(facts: Partial<LayerFacts>): Partial<Record<LayerName, string>> {
  return Object.fromEntries(judgeLayers({ ...good, ...facts }).map(({ name, state, reason }) => [name, `${state}: ${reason}`]));
}

function lacks(facts: Partial<LayerFacts>): string[] {
  return judgeLayers({ ...good, ...facts }).flatMap(({ name, state }) => (state === 'held' ? [] : [name]));
}

test('all is held where each process carries it and each try was refused', () => {
  expect(judgeLayers(good).map(({ name }) => name)).toEqual(layerNames);
  expect(lacks({})).toEqual([]);
});

test('one process without it, or that cannot be looked at, is enough to lack it', () => {
  expect(lacks({ children: [child, { ...engine, filterCount: 0 }] })).toEqual(['calls']);
  expect(lacks({ children: [{ ...child, hasNoNewPrivileges: false }, engine] })).toEqual(['privileges']);
  expect(lacks({ children: [child, engine, undefined] })).toEqual(['privileges', 'calls', 'core-limit', 'core-memory', 'freed-memory']);
  expect(lacks({ own: { ...own, coreLimits: [0, 1024] } })).toEqual(['core-limit']);
  expect(lacks({ own: { ...own, coreMemory: 0x10 } })).toEqual(['core-memory']);
});

test("a filter that the container has put on this process too is not the helper's", () => {
  expect(lacks({ own: { ...own, filterCount: 1 } })).toEqual(['calls']);
  const inside = { ...child, filterCount: 2 };
  expect(lacks({ own: { ...own, filterCount: 1 }, children: [inside], tries: { refused, facts: inside, overwritesFreed: true } })).toEqual(['driver-cache']);
});

test('what a try got through is not held, whatever /proc says', () => {
  const all = { tcp: 'sockets', udp: 'sockets', local: 'sockets', file: 'files', signal: 'signals' } as const;
  for (const [name, layer] of Object.entries(all)) {
    expect(lacks({ tries: { refused: { ...refused, [name]: false }, facts: child, overwritesFreed: true } })).toEqual([layer]);
    expect(judge({ hasPython: false, tries: { refused: { ...refused, [name]: false }, facts: child, overwritesFreed: true } })[layer]).toBe(
      'not available: no-python',
    );
  }
  expect(lacks({ tries: undefined })).toEqual(['privileges', 'calls', 'sockets', 'signals', 'files', 'core-limit', 'core-memory', 'freed-memory']);
});

test('a handler that cores are piped to ignores the limit', () => {
  expect(judge({ corePattern: '|/usr/lib/systemd/systemd-coredump %P' })['core-handler']).toBe('not available: piped');
  expect(judge({ corePattern: undefined })['core-handler']).toBe('not available: unreadable');
  expect(judge({ corePattern: '/var/cores/%e' })['core-handler']).toBe('held: read-back');
});

test('a C library that is not told, and one that does not do it', () => {
  expect(judge({ own: { ...own, overwritesFreed: false } })['freed-memory']).toBe('not available: not-set');
  expect(judge({ children: [child, { ...engine, overwritesFreed: false }] })['freed-memory']).toBe('not available: not-set');
  expect(judge({ tries: { refused, facts: child, overwritesFreed: false } })['freed-memory']).toBe('not available: no-library-support');
});

test('an engine that keeps compiled kernels writes its caches and nothing else', () => {
  const open = judge({ children: [child, { ...engine, keepsNoKernels: false }] });
  expect([open['files'], open['driver-cache']]).toEqual(['held: caches-only', 'not available: kept']);
  expect(judge({ children: [] })['driver-cache']).toBe('not available: no-process');
});

const folder = createFolder();
afterAll(folder.remove);

test('here: what runs is looked at, and what every kernel of today has is held', async (context) => {
  if (process.platform !== 'linux' || findPython() === undefined) return context.skip('needs Linux with Python 3 at /usr/bin or /usr/local/bin');
  await using _ = await openText({ modelPath: folder.write(ggufBytes(tokenizerPairs({}))) });
  expect(listProcesses()).toHaveLength(1);
  const states = Object.fromEntries((await examineLayers()).map(({ name, state }) => [name, state]));
  // Every kernel since 3.5 has these.
  expect([states['privileges'], states['calls'], states['sockets']]).toEqual(['held', 'held', 'held']);
  // Dawn comes for glibc only; the tests' own process is told by vitest.config.ts too late to count.
  expect((await tryLocks())?.overwritesFreed).toBe(true);
});
