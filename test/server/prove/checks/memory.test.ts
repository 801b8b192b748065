import { expect, test } from 'vitest';
import { judgeMemory, type ProcessMemory } from '../../../../server/prove/checks/memory.ts';

const server: ProcessMemory = { pid: 1, kind: 'server', count: 0, kinds: {}, size: 100, deviceSize: 0, closedSize: 0 };
const engine: ProcessMemory = { ...server, pid: 2, kind: 'engine', size: 1000 };
const judge = (...processes: ProcessMemory[]) => judgeMemory({ waitedMs: 2400, processes, first: 7 });

test('nothing in anything', () => {
  const told = '1100 bytes of 2 processes were read 2 s after the last answer; 7 copies at the first look.';
  expect(judge(server, engine)).toEqual({ claim: 'memory', result: 'passed', told, places: [] });
});

test('a copy is told with its place, also where something could not be read', () => {
  const found: ProcessMemory = { ...engine, count: 3, kinds: { heap: 2, shared: 1 } };
  const places = [
    { where: 'memory (heap)', process: 'engine', count: 2 },
    { where: 'memory (shared)', process: 'engine', count: 1 },
  ];
  expect(judge(server, found)).toMatchObject({ result: 'failed', places });
  expect(judge(server, { ...found, closedSize: 5 })).toMatchObject({ result: 'failed', places });
});

test('what could not be read may hold anything: not proven', () => {
  expect(judge(server, { ...engine, closedSize: 4096 })).toMatchObject({ result: 'not proven', told: '4096 bytes of 2 processes could not be read.' });
  expect(judge(server, { ...engine, count: undefined })).toMatchObject({ result: 'not proven' });
  expect(judge()).toMatchObject({ result: 'not proven' });
});

test('memory of a device is told, and is what the claim about the device is for', () => {
  const { result, told } = judge(server, { ...engine, deviceSize: 8192 });
  expect([result, told.endsWith(" 8192 bytes are a device's, which only the server itself can read.")]).toEqual(['passed', true]);
});
