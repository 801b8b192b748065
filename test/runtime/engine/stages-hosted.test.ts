/** Stages in processes of their own: the reference's tokens, everything zeroed and sealed in each, and a new start of all when one is lost. */
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openHostedEngine } from '../../../runtime/host/host.ts';
import { examineLayers } from '../../../runtime/index.ts';
import { findPython, listProcesses } from '../../../runtime/launch.ts';
import type { EngineRestart } from '../../../runtime/types.ts';
import { run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { readSeeded, writeSeeded } from '../../seeded.ts';

const seeded = readSeeded('smollm3');
const { len7, len40 } = seeded.prompts as { readonly [name: string]: { readonly ids: readonly number[]; readonly greedy: readonly number[] } };

function createModel(): string {
  const folder = mkdtempSync(join(tmpdir(), 'inward-stages-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeSeeded(seeded, folder);
  return folder;
}

/** What a process has open of files that outlive it. */
function openFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  const links = readdirSync(folder).map((name) => readlinkSync(join(folder, name)));
  return links.filter((link) => link.startsWith('/') && !/^\/(?:dev|proc|memfd)/.test(link));
}

// Each is a process that compiles all kernels.
const isFull = process.env['INWARD_FULL'] === '1';
const counts = isFull ? [2, 4] : [2];

test.each(counts)(
  '%i stages: the reference`s tokens, nothing left in any, all sealed; in full, one is killed, and all start anew',
  { timeout: 400_000 },
  async (count) => {
    const before = listProcesses();
    const told: EngineRestart[] = [];
    await using engine = await openHostedEngine(
      {
        modelPath: createModel(),
        device: testDevice(),
        kv: 'f32',
        contextLength: 1024,
        stages: count,
        microBatches: 3,
        onRestart: (restart) => told.push(restart),
      },
      { firstDelayMs: 10 },
    );
    const { stages = [] } = engine.info;
    expect(stages.map(({ firstLayer }) => firstLayer)).toEqual(stages.map((_, i) => stages.slice(0, i).reduce((sum, { layerCount }) => sum + layerCount, 0)));
    expect([stages.length, stages.reduce((sum, { layerCount }) => sum + layerCount, 0)]).toEqual([count, 5]);

    expect(engine.stats().memory).toMatchObject({ weights: engine.info.weightBytes, kv: engine.info.kvBytes });

    const answers = await Promise.all([len7, len40].map((prompt) => run(engine, prompt?.ids ?? [], { maxTokens: 12 })));
    expect(answers.map(({ tokens }) => tokens)).toEqual([len7, len40].map((prompt) => prompt?.greedy.slice(0, 12)));
    engine.flushPrefixes();
    await vi.waitUntil(() => engine.stats().kvBlocksFree === engine.stats().kvBlocksTotal);
    const { words, ...left } = await engine.checkZeroed();
    expect(left).toEqual({ kv: 0, state: 0, activations: 0, logits: 0, staging: 0, batch: 0 });
    // Keys and values of all layers, and not only of those of the first stage.
    expect(words * 4).toBeGreaterThan(engine.info.kvBytes);

    const processes = listProcesses().filter((pid) => !before.includes(pid));
    expect(processes.length).toBe(count);
    expect(processes.flatMap(openFiles)).toEqual([]);
    if (findPython() !== undefined) {
      const layers = await examineLayers();
      expect(layers.filter(({ name, state }) => ['privileges', 'calls', 'sockets', 'signals', 'files'].includes(name) && state !== 'held')).toEqual([]);
    }

    // With fakes: test/runtime/host/stages.test.ts.
    if (!isFull) return;
    const running = run(engine, len7?.ids ?? [], { maxTokens: 1000 }).catch(({ code }) => code);
    await vi.waitUntil(() => engine.stats().generatedTokens > 30, { timeout: 60_000 });
    process.kill(processes.at(-1) ?? 0, 'SIGKILL');
    expect(await running).toBe('engine_restarted');
    expect((await run(engine, len7?.ids ?? [], { maxTokens: 12 })).tokens).toEqual(len7?.greedy.slice(0, 12));
    expect(told.map(({ code, isReady }) => [code, isReady])).toEqual([
      ['stage_lost', false],
      ['stage_lost', true],
    ]);
    const now = listProcesses().filter((pid) => !before.includes(pid));
    expect([now.length, now.filter((pid) => processes.includes(pid)).length]).toEqual([count, 0]);
  },
);
