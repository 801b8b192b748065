/**
 * The engine's own process: an in-process engine behind messages. Started by launcher.ts. Refuses to outlive its parent, and to
 * open a file once it serves.
 */
import { zero } from '../channel.ts';
import { collectGarbage } from '../collect.ts';
import { createEngine } from '../engine.ts';
import { toInwardError } from '../errors.ts';
import { Link } from '../link/link.ts';
import { lockFiles } from '../lock.ts';
import type { Engine } from '../types.ts';
import { type FromEngine, packEvent, type ToEngine, toWire } from './messages.ts';
import { createRing } from './ring.ts';

/** Of the requests that run: their cancellation, and the wait of one whose reader in the other process is behind. */
const running = new Map<number, { readonly abort: AbortController; parked?: PromiseWithResolvers<void> | undefined }>();
let engine: Engine | undefined;
let sentStats = '';
/** From the last request on, so that one that follows at once waits for nothing, in ms. */
const restMs = 1000;
/** Since the last collection a request had a grammar: its words were strings here, which only a collection takes away. */
let hadWords = false;

const parent = Link.toParent<FromEngine, ToEngine>();
const send = (message: FromEngine): undefined => parent.send(message);

/** Only when something changed, so that an idle engine is silent; with requests it says at least that it lives. */
function sendStats(): void {
  if (engine === undefined) return;
  const stats = engine.stats();
  const text = JSON.stringify(stats);
  if (text !== sentStats) send({ type: 'stats', stats });
  else if (running.size > 0) send({ type: 'alive' });
  sentStats = text;
}

async function open({ options, driver, stage }: ToEngine & { type: 'open' }): Promise<void> {
  try {
    engine = await createEngine(
      { ...options, onProgress: (progress) => send({ type: 'progress', ...progress }) },
      {},
      { driver, keepTuning: (_, key, shapes) => send({ type: 'measured', key, shapes }), ...(stage && { stage: { ...stage, ring: createRing() } }) },
    );
    lockFiles();
  } catch (error) {
    send({ type: 'refused', error: toWire(toInwardError(error, 'opening the engine')) });
    return;
  }
  engine.failed.then((error) => send({ type: 'died', error: toWire(toInwardError(error, 'the engine')) }));
  setInterval(sendStats, 100).unref();
  sendStats();
  send({ type: 'opened', info: engine.info });
}

function forgetWords(): void {
  if (!hadWords || running.size > 0) return;
  hadWords = false;
  collectGarbage();
}

async function generate({ request, body }: ToEngine & { type: 'generate' }): Promise<void> {
  const state = { abort: new AbortController(), parked: undefined as PromiseWithResolvers<void> | undefined };
  running.set(request, state);
  try {
    if (engine === undefined) return;
    for await (const event of engine.generate(body, state.abort.signal)) {
      send({ type: 'event', request, event: packEvent(event) });
      zero(event);
      // Not reading on makes the engine's own channel park the sequence.
      await state.parked?.promise;
    }
  } catch (error) {
    // What fails with the engine may go on in another process: the parent decides, when it hears that this one died.
    if (engine?.isReady) send({ type: 'failed', request, error: toWire(toInwardError(error, 'a request')) });
  } finally {
    // The sequence has its own copy, and zeroes that.
    body.promptIds.fill(0);
    body.grammar?.source.fill(0);
    running.delete(request);
    hadWords ||= body.grammar !== undefined;
    if (hadWords && running.size === 0) setTimeout(forgetWords, restMs).unref();
    sendStats();
  }
}

async function check({ request }: ToEngine & { type: 'check' }): Promise<void> {
  try {
    if (engine !== undefined) send({ type: 'checked', request, report: await engine.checkZeroed() });
  } catch (error) {
    send({ type: 'failed', request, error: toWire(toInwardError(error, 'a check')) });
  }
}

function control({ type, request }: ToEngine & { type: 'abort' | 'park' | 'go on' }): void {
  const state = running.get(request);
  if (state === undefined) return;
  if (type === 'park') state.parked ??= Promise.withResolvers();
  else {
    state.parked?.resolve();
    state.parked = undefined;
    if (type === 'abort') state.abort.abort();
  }
}

async function close(): Promise<void> {
  await engine?.[Symbol.asyncDispose]();
  process.exit(0);
}

function receive(message: ToEngine): void {
  if (message.type === 'open') void open(message);
  else if (message.type === 'generate') void generate(message);
  else if (message.type === 'flush') engine?.flushPrefixes(message.tenant);
  else if (message.type === 'check') void check(message);
  else if (message.type === 'close') void close();
  else control(message);
}

parent.listen({ message: receive, closed: () => process.exit(0) });
// The parent decides when to stop; a Ctrl-C in the terminal reaches both processes.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
