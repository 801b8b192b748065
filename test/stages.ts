/** Owns an engine whose stages are all in this process, each with a device of its own, and a ring of plain functions between them. */
import { createEngine } from '../runtime/engine.ts';
import { openStage } from '../runtime/open.ts';
import type { Ring, RingListener, RingMessage } from '../runtime/stages/ring.ts';
import { Stage } from '../runtime/stages/stage.ts';
import type { Engine, EngineOptions } from '../runtime/types.ts';

interface LocalRing {
  readonly places: readonly Ring[];
  /** Messages that have gone from each place to the next; and of all places, in the order in which they went; results, in which they arrived. */
  readonly sent: readonly RingMessage[][];
  readonly order: readonly { readonly from: number; readonly message: RingMessage }[];
}

/** In ms. What comes back is late, so that the next step is under way by then, however fast the last stage is. */
const lateness = 20;

/** What is sent arrives later, as a copy, which the receiver may wipe. */
function createRing(count: number): LocalRing {
  const listeners: (RingListener | undefined)[] = [];
  /** What came before anybody listened. */
  const early: RingMessage[][] = Array.from({ length: count }, () => []);
  const sent: RingMessage[][] = Array.from({ length: count }, () => []);
  const order: { from: number; message: RingMessage }[] = [];
  const places = sent.map((log, index): Ring => {
    return {
      send(message) {
        const copy = structuredClone(message);
        const kept = structuredClone(message);
        log.push(kept);
        const to = (index + 1) % count;
        const arrive = (): unknown => (listeners[to] === undefined ? early[to]?.push(copy) : listeners[to].message(copy));
        const note = (): unknown => order.push({ from: index, message: kept });
        const arriveLate = (): void => {
          note();
          arrive();
        };
        if (message.type === 'results') setTimeout(arriveLate, lateness);
        else {
          note();
          setImmediate(arrive);
        }
      },
      listen(listener) {
        listeners[index] = listener;
        for (const message of early[index]?.splice(0) ?? []) listener.message(message);
      },
    };
  });
  return { places, sent, order };
}

/** Closed with the engine. */
export async function openStaged(options: EngineOptions, count: number): Promise<{ readonly engine: Engine } & Pick<LocalRing, 'sent' | 'order'>> {
  const { places, sent, order } = createRing(count);
  const others = places.slice(1).map(async (ring, i) => {
    const { stage, open, memory } = await openStage(options, { stage: { index: i + 1, count, ring } });
    new Stage(stage, ring, () => undefined);
    return { open, memory };
  });
  // A refusal of one comes out of the first.
  for (const other of others) other.catch(() => undefined);
  const [first] = places;
  const engine = await createEngine(options, {}, first === undefined ? {} : { stage: { index: 0, count, ring: first } });
  const close = engine[Symbol.asyncDispose].bind(engine);
  engine[Symbol.asyncDispose] = async () => {
    await close();
    for (const { open, memory } of await Promise.all(others)) {
      memory[Symbol.dispose]();
      open[Symbol.dispose]();
    }
  };
  return { engine, sent, order };
}
