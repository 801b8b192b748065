/**
 * Owns a world for commands: fakes for engine and text, recorded output, signals that a test sends.
 */
import { EventEmitter } from 'node:events';
import type { DeviceName, EngineOptions } from '../../runtime/types.ts';
import type { ChosenDevice, SignalName, World } from '../../server/world.ts';
import { FakeEngine, type FakeEngineOptions } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';

export class FakeWorld implements World {
  readonly engine: FakeEngine;
  readonly text: FakeText = new FakeText();
  readonly opened: EngineOptions[] = [];
  readonly wantedDevices: string[] = [];
  readonly signals: EventEmitter = new EventEmitter();
  input = '';
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

  async openText(): Promise<FakeText> {
    return this.text;
  }

  async ensureDevice(wanted: DeviceName | 'auto'): Promise<ChosenDevice> {
    this.wantedDevices.push(wanted);
    return { name: wanted === 'auto' ? 'swiftshader' : wanted, reason: 'chosen by the test' };
  }

  async ensureDefaultModel(): Promise<string> {
    return '/models/default.gguf';
  }

  async readInput(): Promise<string> {
    return this.input;
  }

  send(name: SignalName): void {
    this.signals.emit(name);
  }
}
