/** What is loaded follows the gate, in order: nothing stays that was not held against what is signed now, and nothing comes after the end. */
import { expect, test, vi } from 'vitest';
import { ModelLoader } from '../../server/loader.ts';
import type { LogRecord } from '../../server/log.ts';
import type { Models } from '../../server/openai/plan.ts';
import { FakeEngine } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';

interface Loaded extends Models {
  readonly engine: FakeEngine;
}

function create(openMs = 0): { readonly loader: ModelLoader; readonly opened: Loaded[]; readonly closed: unknown[]; readonly records: LogRecord[] } {
  const opened: Loaded[] = [];
  const closed: unknown[] = [];
  const records: LogRecord[] = [];
  const open = async (): Promise<Models> => {
    await new Promise((resolve) => setTimeout(resolve, openMs));
    const models: Loaded = { engine: new FakeEngine({ script: say('a') }), text: new FakeText() };
    for (const part of [models.engine, models.text]) part[Symbol.asyncDispose] = async () => void closed.push(part);
    opened.push(models);
    return models;
  };
  return { loader: new ModelLoader(open, (record) => records.push(record)), opened, closed, records };
}

test('what is unloaded and wanted again at once is opened anew', async () => {
  const { loader, opened, closed } = create();
  await loader.load();
  await Promise.all([loader.unload(), loader.tryLoad()]);
  expect([opened.length, closed.length]).toEqual([2, 2]);
  expect(loader.current).toBe(opened[1]);
});

test('a gate that closes and opens while a model is loading: that model does not serve', async () => {
  const { loader, opened } = create(20);
  await Promise.all([loader.tryLoad(), loader.unload(), loader.tryLoad()]);
  expect(opened).toHaveLength(2);
  expect(loader.current).toBe(opened[1]);
});

test('a gate that closes while a model is loading leaves nothing open', async () => {
  const { loader, opened, closed } = create(20);
  const load = loader.tryLoad();
  // Once it has begun; before that there would be nothing to open.
  await new Promise((resolve) => setTimeout(resolve, 5));
  await Promise.all([load, loader.unload()]);
  expect([opened.length, closed.length]).toEqual([1, 2]);
  expect(loader.current).toBeUndefined();
});

test('after the end nothing is loaded', async () => {
  const { loader, opened } = create();
  await loader.load();
  await Promise.all([loader[Symbol.asyncDispose](), loader.tryLoad()]);
  expect([opened.length, loader.current]).toEqual([1, undefined]);
});

test('an engine that fails to close is told, and the text side is closed all the same', async () => {
  const { loader, opened, closed, records } = create();
  await loader.load();
  const [models] = opened;
  if (models === undefined) throw new Error('nothing was opened');
  models.engine[Symbol.asyncDispose] = async () => {
    throw new Error('not said');
  };
  await loader.unload();
  expect(closed).toEqual([models.text]);
  expect(records).toContainEqual({ event: 'model_unload_failed', code: 'internal' });
});

test('what is kept is zeroed and read back before the engine is given up; what is left is told', async () => {
  for (const [left, told] of [[0, []] as const, [3, [{ event: 'model_not_zeroed' }]] as const]) {
    const { loader, opened, closed, records } = create();
    await loader.load();
    const engine = opened[0]?.engine as FakeEngine;
    const order: string[] = [];
    engine.flushPrefixes = () => void order.push('flush');
    engine.checkZeroed = async () => {
      order.push(`check with ${closed.length} closed`);
      return { kv: left, state: 0, activations: 0, logits: 0, staging: 0, batch: 0, words: 100 };
    };
    await loader.unload();
    expect(order).toEqual(['flush', 'check with 0 closed']);
    expect(closed).toHaveLength(2);
    expect(records.filter(({ event }) => event === 'model_not_zeroed')).toEqual(told);
  }
});

test('an engine that never answers is given up all the same', async () => {
  vi.useFakeTimers();
  try {
    const { loader, opened, closed } = create();
    const loading = loader.load();
    await vi.advanceTimersByTimeAsync(1);
    await loading;
    (opened[0]?.engine as FakeEngine).checkZeroed = () => new Promise(() => undefined);
    const unloading = loader.unload();
    await vi.advanceTimersByTimeAsync(60_000);
    await unloading;
    expect(closed).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
});
