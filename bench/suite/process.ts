/** The kernel bench in a process of its own, started with the driver's environment. Refuses to outlive its parent. */
import { openDevice } from '../../runtime/device.ts';
import type { DeviceName } from '../../runtime/types.ts';
import { answerMessages } from '../answer.ts';
import type { Case } from './cases.ts';
import type { Ceilings } from './ceilings.ts';
import { type CaseResult, Suite } from './run.ts';
import { type TimedBy, timestamps } from './stopwatch.ts';

type Question = { readonly type: 'open'; readonly device: DeviceName; readonly deterministic: boolean } | { readonly type: 'run'; readonly one: Case };
type AnyAnswer =
  | { readonly type: 'opened'; readonly adapter: string; readonly timedBy: TimedBy; readonly ceilings: Ceilings }
  | { readonly type: 'ran'; readonly result: CaseResult };
export type Answer<Type extends AnyAnswer['type']> = Extract<AnyAnswer, { type: Type }>;

let suite: Suite | undefined;

async function answer(question: Question): Promise<AnyAnswer> {
  if (question.type === 'open') {
    const open = await openDevice(question.device, { extras: [timestamps] });
    suite = new Suite(open, question.deterministic);
    return { type: 'opened', adapter: open.adapter, timedBy: suite.timedBy, ceilings: await suite.measureCeilings() };
  }
  if (suite === undefined) throw new Error('asked before it was opened');
  return { type: 'ran', result: await suite.run(question.one) };
}

answerMessages(answer);
