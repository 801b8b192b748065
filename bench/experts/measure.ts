/** Owns one measured level: its engine's process, asked one question at a time. Refuses to know what the answers mean. */
import { fileURLToPath } from 'node:url';
import type { Driver } from '../../runtime/drivers.ts';
import { launchEngine } from '../../runtime/host/launcher.ts';
import type { EngineOptions } from '../../runtime/types.ts';
import { PeerError } from '../child.ts';
import type { LevelAnswer, LevelMemory, LevelQuestion, LevelReply } from './process.ts';

const file = new URL('./process.ts', import.meta.url);
const folders = ['..', '../../test'].map((path) => fileURLToPath(new URL(path, import.meta.url)));

export class LevelProcess implements Disposable {
  readonly #launched;
  #waiting: PromiseWithResolvers<LevelReply> | undefined;

  private constructor(options: EngineOptions, driver: Driver) {
    this.#launched = launchEngine<LevelQuestion, LevelReply>(options, driver, { file, reads: folders });
    this.#launched.process.on('exit', (code, signal) => this.#waiting?.reject(new PeerError(`the engine's process ended (${signal ?? `exit code ${code}`})`)));
    this.#launched.link.listen({ message: (reply) => this.#waiting?.resolve(reply) });
  }

  /** Throws PeerError. */
  static async open(options: EngineOptions, driver: Driver): Promise<LevelProcess> {
    const level = new LevelProcess(options, driver);
    await level.#send({ type: 'open', options, driver });
    return level;
  }

  async ask(promptIds: readonly number[], maxTokens: number): Promise<{ readonly answer: LevelAnswer; readonly memory: LevelMemory }> {
    const reply = await this.#send({ type: 'ask', promptIds, maxTokens });
    if (reply.type !== 'answered') throw new PeerError('no answer');
    return reply;
  }

  async #send(question: LevelQuestion): Promise<LevelReply> {
    this.#waiting = Promise.withResolvers();
    this.#launched.link.send(question);
    const reply = await this.#waiting.promise;
    if (reply.type === 'refused') throw new PeerError(reply.reason);
    return reply;
  }

  [Symbol.dispose](): void {
    this.#launched.process.kill('SIGKILL');
  }
}
