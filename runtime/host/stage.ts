/**
 * The process of a stage that is not the first: layers of a model behind a ring of pipes (stages/stage.ts). Started by launcher.ts, and told by its
 * parent what to open; what a request consists of never comes from there. Refuses to outlive its parent or the stage before it, and to open a file once it
 * is open.
 */
import { toInwardError } from '../errors.ts';
import { Link } from '../link/link.ts';
import { lockFiles } from '../lock.ts';
import { openStage } from '../open.ts';
import { Stage } from '../stages/stage.ts';
import { type FromEngine, type ToEngine, toWire } from './messages.ts';
import { createRing } from './ring.ts';

const parent = Link.toParent<FromEngine, ToEngine>();
const send = (message: FromEngine): undefined => parent.send(message);
/** Between two signs of life, in ms. */
const aliveMs = 1000;

async function open({ options, driver, stage }: ToEngine & { type: 'open' }): Promise<void> {
  try {
    if (stage === undefined) throw new Error('a stage has a number');
    const ring = createRing();
    const {
      open: device,
      memory,
      stage: runner,
      info,
    } = await openStage(options, {
      driver,
      keepTuning: (_, key, shapes) => send({ type: 'measured', key, shapes }),
      stage: { ...stage, ring },
    });
    lockFiles();
    const { failed } = new Stage(runner, ring, () => process.exit(0));
    void Promise.race([failed, device.lost]).then((error) => send({ type: 'died', error: toWire(error) }));
    setInterval(() => send({ type: 'alive' }), aliveMs).unref();
    send({ type: 'opened', info, memory: memory.usage() });
  } catch (error) {
    send({ type: 'refused', error: toWire(toInwardError(error, 'opening a stage')) });
  }
}

function receive(message: ToEngine): void {
  if (message.type === 'open') void open(message);
  else if (message.type === 'close') process.exit(0);
}

parent.listen({ message: receive, closed: () => process.exit(0) });
// As in process.ts.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
