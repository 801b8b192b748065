/**
 * Owns the turns of a chat, in memory only, and what of them still fits into the context.
 * Refuses to drop anything silently: whoever asks gets the count of what went.
 */
import { InwardError } from '../../../runtime/index.ts';
import type { ChatMessage, TextModel } from '../../../runtime/text/index.ts';

interface Turn {
  readonly question: string;
  answer?: string;
}

export interface Fitted {
  readonly promptIds: Uint32Array;
  /** Oldest turns that had to go. */
  readonly dropped: number;
}

export class Conversation {
  system = '';
  #turns: Turn[] = [];

  /** Questions that have an answer. */
  get turnCount(): number {
    return this.#turns.filter(({ answer }) => answer !== undefined).length;
  }

  /** An open question before it is dropped: templates want questions and answers to alternate. */
  ask(question: string): void {
    const last = this.#turns.at(-1);
    if (last && last.answer === undefined) this.#turns.pop();
    this.#turns.push({ question });
  }

  /** Of the last question; an empty one leaves it open. */
  answer(text: string): void {
    const last = this.#turns.at(-1);
    if (last && text !== '') last.answer = text;
  }

  /** Takes the last answer back, so that its question is open again; false if there is no question. */
  reopen(): boolean {
    const last = this.#turns.at(-1);
    delete last?.answer;
    return last !== undefined;
  }

  clear(): void {
    this.#turns = [];
  }

  /**
   * Ids of the open question with as many turns before it as leave `reserve` tokens for the answer; older turns are dropped.
   * Throws prompt_too_long, and drops nothing, if the question alone leaves no room.
   */
  async fit(text: TextModel, contextLength: number, reserve: number): Promise<Fitted> {
    for (let dropped = 0; ; dropped++) {
      const promptIds = await text.encodeChat(this.#messages(dropped));
      const isLast = dropped >= this.#turns.length - 1;
      if (promptIds.length + (isLast ? 1 : reserve) <= contextLength) {
        this.#turns.splice(0, dropped);
        return { promptIds, dropped };
      }
      const found = promptIds.length;
      promptIds.fill(0);
      if (isLast) throw new InwardError('prompt_too_long', { found, limit: contextLength });
    }
  }

  #messages(from: number): ChatMessage[] {
    const turns = this.#turns
      .slice(from)
      .flatMap(({ question, answer }) => [{ role: 'user', content: question }, ...(answer === undefined ? [] : [{ role: 'assistant', content: answer }])]);
    return [...(this.system === '' ? [] : [{ role: 'system', content: this.system }]), ...turns];
  }
}
