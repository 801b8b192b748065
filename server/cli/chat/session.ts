/**
 * Owns one chat with a model: a question goes in, its answer is streamed, the turn is kept. Says what it drops.
 * Refuses to keep anything after it was disposed.
 */
import { InwardError } from '../../../runtime/index.ts';
import type { World } from '../../world.ts';
import { type AnswerReport, describeAnswer, type OpenModel, streamAnswer } from '../answer.ts';
import type { SamplingName, SamplingValues } from '../sampling.ts';
import { Conversation } from './conversation.ts';

/** Part of the context that an answer gets at least, as long as there are old turns to drop for it. */
const reservedShare = 1 / 4;

export class ChatSession implements Disposable {
  readonly conversation: Conversation = new Conversation();
  readonly sampling: Map<SamplingName, number>;
  readonly #model: OpenModel;
  readonly #world: World;
  readonly #notify: (sentence: string) => void;
  #running: AbortController | undefined;
  #last: AnswerReport | undefined;
  #answerCount = 0;

  constructor(model: OpenModel, sampling: SamplingValues, world: World, notify: (sentence: string) => void) {
    this.#model = model;
    this.#world = world;
    this.#notify = notify;
    this.sampling = new Map(Object.entries(sampling) as [SamplingName, number][]);
  }

  /** Answers a question. False if it failed with a sentence that the user has read; the question is then open for `retry`. Throws what ends the chat. */
  async ask(question: string): Promise<boolean> {
    this.conversation.ask(question);
    return this.#answer();
  }

  /** Answers the last question anew. */
  async retry(): Promise<boolean> {
    if (this.conversation.reopen()) return this.#answer();
    this.#notify('There is no question to answer again.');
    return false;
  }

  /** Stops the answer that is being written; false if there is none, or if it was stopped already. */
  stop(): boolean {
    if (this.#running === undefined || this.#running.signal.aborted) return false;
    this.#running.abort();
    return true;
  }

  describe(): string {
    const { contextLength } = this.#model.engine.info;
    const used = this.#last === undefined ? 0 : this.#last.promptTokens + this.#last.tokens;
    const lines = [
      `turns kept: ${this.conversation.turnCount}, answers given: ${this.#answerCount}`,
      `context: ${used} of ${contextLength} tokens after the last answer`,
    ];
    return [...lines, ...(this.#last === undefined ? [] : [`last answer: ${describeAnswer(this.#last)}`])].join('\n');
  }

  [Symbol.dispose](): void {
    this.#running?.abort();
    this.conversation.clear();
    this.conversation.system = '';
  }

  async #answer(): Promise<boolean> {
    const running = new AbortController();
    this.#running = running;
    let answer = '';
    try {
      const report = await this.#stream(running.signal, (piece) => {
        answer += piece;
      });
      this.#last = report;
      this.#answerCount++;
      if (report.isCut && this.sampling.get('maxTokens') !== report.tokens)
        this.#notify('The answer was cut: the context is full. Older turns will be dropped from now on.');
      return true;
    } catch (error) {
      return this.#explain(error, running.signal, answer);
    } finally {
      this.conversation.answer(answer);
      this.#running = undefined;
    }
  }

  async #stream(signal: AbortSignal, onText: (piece: string) => void): Promise<AnswerReport> {
    const { engine, text } = this.#model;
    const { contextLength } = engine.info;
    const reserve = Math.min(this.sampling.get('maxTokens') ?? contextLength, Math.floor(contextLength * reservedShare));
    const { promptIds, dropped } = await this.conversation.fit(text, contextLength, reserve);
    if (dropped > 0)
      this.#notify(`The context of ${contextLength} tokens is full: the ${dropped === 1 ? 'oldest turn was' : `${dropped} oldest turns were`} dropped.`);
    return streamAnswer(this.#model, { promptIds, sampling: Object.fromEntries(this.sampling), signal, onText }, this.#world);
  }

  /** What the user stopped, or what is wrong with this question alone, does not end the chat. */
  #explain(error: unknown, signal: AbortSignal, answer: string): boolean {
    if (!signal.aborted && !(error instanceof InwardError && (error.kind === 'request' || error.kind === 'busy'))) throw error;
    if (answer !== '') this.#world.out.write('\n');
    if (signal.aborted) {
      this.#notify(answer === '' ? 'Stopped.' : 'Stopped; what was written so far is kept.');
      return true;
    }
    this.#notify((error as InwardError).message);
    return false;
  }
}
