/**
 * Owns a world for commands: fakes for engine and text, recorded output, signals that a test sends.
 */
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Layer } from '../../runtime/layers/types.ts';
import type { TextOptions } from '../../runtime/text/types.ts';
import type { DeviceName, EngineOptions } from '../../runtime/types.ts';
import type { Inspection } from '../../scripts/setup/inspect.ts';
import type { ChosenDevice, SignalName, World } from '../../server/world.ts';
import { FakeEngine, type FakeEngineOptions } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';

/** A machine without any device or model. */
export const emptyMachine: Inspection = {
  system: {
    platform: 'linux',
    architecture: 'x64',
    node: '24.0.0',
    nodeNeeded: 24,
    processor: 'a processor',
    cores: 4,
    memoryFree: 8 * 2 ** 30,
    memoryTotal: 16 * 2 ** 30,
  },
  drivers: [],
  lacksLoader: false,
  cache: { folder: '/cache', models: [], devices: [] },
  defaultModel: { path: '/cache/models/default.gguf', sha256: 'abc', size: 1000, isThere: false },
};

export class FakeWorld implements World {
  readonly engine: FakeEngine;
  readonly text: FakeText = new FakeText();
  readonly opened: EngineOptions[] = [];
  readonly wantedDevices: string[] = [];
  readonly openedTexts: TextOptions[] = [];
  readonly signals: EventEmitter = new EventEmitter();
  folder: string = import.meta.dirname;
  hostRoot?: string;
  environment: Record<string, string> = {};
  nodeFlags: readonly string[] = [];
  isInspected = false;
  inspection: Inspection = emptyMachine;
  layers: readonly Layer[] = [
    { name: 'sockets', state: 'held', reason: 'tried' },
    { name: 'core-handler', state: 'not available', reason: 'piped' },
  ];
  readonly in: PassThrough & { isTTY?: boolean } = new PassThrough();
  printed = '';
  complained = '';
  readonly out: World['out'] = { write: (text) => (this.printed += text) };
  readonly err: World['err'] = { write: (text) => (this.complained += text) };

  constructor(options: Partial<FakeEngineOptions> = {}) {
    this.engine = new FakeEngine({ script: say('Hello, world.'), ...options });
  }

  async openEngine(options: EngineOptions): Promise<FakeEngine> {
    this.opened.push(options);
    return this.engine;
  }

  async openText(options: TextOptions): Promise<FakeText> {
    this.openedTexts.push(options);
    return this.text;
  }

  /** Whether what is missing might have been fetched: of each device and default model that was asked for. */
  readonly fetching: boolean[] = [];

  async ensureDevice(wanted: DeviceName | 'auto', mayFetch = true): Promise<ChosenDevice> {
    this.wantedDevices.push(wanted);
    this.fetching.push(mayFetch);
    return { name: wanted === 'auto' ? 'swiftshader' : wanted, reason: 'chosen by the test' };
  }

  async ensureDefaultModel(mayFetch = true): Promise<string> {
    this.fetching.push(mayFetch);
    return '/models/default.gguf';
  }

  async inspectMachine(): Promise<Inspection> {
    return this.inspection;
  }

  async examineLayers(): Promise<readonly Layer[]> {
    return this.layers;
  }

  /** Makes input and output a terminal. */
  becomeTerminal(): void {
    this.in.isTTY = true;
    Object.assign(this.out, { isTTY: true, columns: 80 });
    Object.assign(this.err, { isTTY: true });
  }

  send(name: SignalName): void {
    this.signals.emit(name);
  }
}
