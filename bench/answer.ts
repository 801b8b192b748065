/**
 * Owns how a measured process answers bench/child.ts: one message for each, or the reason in one line; the next is answered then too.
 * Refuses to outlive its parent.
 */

/** Characters; what a foreign library says of its failure may be long. */
const reasonLength = 400;

/**
 * Messages of type `close` end the process, by exit and not through destructors: those of onnxruntime's WebGPU end it with a signal.
 * `close`: what must be ended in order before.
 */
export function answerMessages<Question extends { readonly type: string }>(
  answer: (question: Question) => object | Promise<object>,
  close: () => unknown = () => undefined,
): void {
  process.on('message', async (message: Question | { readonly type: 'close' }) => {
    try {
      if (message.type === 'close') {
        await close();
        process.exit(0);
      }
      process.send?.(await answer(message as Question));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      process.send?.({ type: 'failed', reason: reason.split('\n')[0]?.slice(0, reasonLength) });
    }
  });
  process.on('disconnect', () => process.exit(0));
}
