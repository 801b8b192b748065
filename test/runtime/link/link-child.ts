/** Sends back what it gets and wipes it; ends, or breaks the link, when it is told to. */
import { writeSync } from 'node:fs';
import { Link } from '../../../runtime/link/link.ts';

export interface Echoed {
  readonly order?: 'exit' | 'babble';
  readonly ids?: Uint32Array;
  readonly text?: string;
}

const parent = Link.toParent<Echoed, Echoed>();
parent.listen({
  message: (message) => {
    if (message.order === 'exit') process.exit(7);
    // No frame is so long.
    if (message.order === 'babble') writeSync(3, Buffer.alloc(100, 0xff));
    parent.send(message);
    message.ids?.fill(0);
  },
  closed: () => process.exit(5),
});
