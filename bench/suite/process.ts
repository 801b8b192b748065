/** The kernel bench in a process of its own, started with the driver's environment. Refuses to outlive its parent. */
import { openDevice } from '../../runtime/device.ts';
import type { DeviceName } from '../../runtime/types.ts';
import type { Case } from './cases.ts';
import { Suite } from './run.ts';

type Question = { readonly type: 'open'; readonly device: DeviceName } | { readonly type: 'run'; readonly one: Case } | { readonly type: 'close' };

let suite: Suite | undefined;

async function answer(question: Exclude<Question, { type: 'close' }>): Promise<object> {
  if (question.type === 'open') {
    const open = await openDevice(question.device);
    suite = new Suite(open);
    return { type: 'opened', adapter: open.adapter, ceilings: await suite.measureCeilings() };
  }
  if (suite === undefined) throw new Error('asked before it was opened');
  return { type: 'ran', result: await suite.run(question.one) };
}

process.on('message', async (question: Question) => {
  if (question.type === 'close') process.exit(0);
  try {
    process.send?.(await answer(question));
  } catch (error) {
    process.send?.({ type: 'failed', reason: error instanceof Error ? error.message : 'failed' });
  }
});
process.on('disconnect', () => process.exit(0));
