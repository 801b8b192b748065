/**
 * A process that speaks the messages of an engine process and computes nothing: the tokens of fake-model.ts, one a sequence
 * every two milliseconds, `maxSequences` of them side by side, the others in the order in which they came.
 */

import { readFileSync } from 'node:fs';
import { type FromEngine, packEvent, type ToEngine } from '../../../runtime/host/messages.ts';
import { emptyStats } from '../../../runtime/host/stats.ts';
import { Link } from '../../../runtime/link/link.ts';
import { lockFiles } from '../../../runtime/lock.ts';
import type { EngineInfo, GenerateRequest, TokenId } from '../../../runtime/types.ts';
import { type FakeModel, harmful, tokenOf, vocabularySize } from './fake-model.ts';

interface Work {
  readonly request: number;
  readonly body: GenerateRequest;
  done: number;
}

const works: Work[] = [];
let places = 0;
let steps = 0;
let generatedTokens = 0;

const parent = Link.toParent<FromEngine, ToEngine>();
const send = (message: FromEngine): void => parent.send(message);

function open({ options }: ToEngine & { type: 'open' }): void {
  const { fingerprint, opening } = JSON.parse(readFileSync(options.modelPath, 'utf8')) as FakeModel;
  if (opening === 'exit') process.exit(4);
  if (opening === 'silence') return;
  if (opening !== 'good') send({ type: 'refused', error: { code: opening, fields: {} } });
  else serve(fingerprint, options.maxSequences ?? 1);
}

function serve(fingerprint: string, maxSequences: number): void {
  lockFiles();
  places = maxSequences;
  setInterval(step, 2);
  setInterval(sendStats, 20);
  const info = { fingerprint, maxSequences: places, contextLength: 4096, vocabularySize, tuning: {} };
  send({ type: 'opened', info: info as unknown as EngineInfo });
}

function step(): void {
  if (works.length > 0) steps++;
  for (const work of works.slice(0, places)) {
    const { request, body } = work;
    if (work.done === 0) harm(body.promptIds[0], request);
    if (work.done < body.maxTokens) {
      generatedTokens++;
      send({ type: 'event', request, event: packEvent({ type: 'token', id: tokenOf(body.promptIds, work.done++) as TokenId }) });
    } else {
      send({
        type: 'event',
        request,
        event: { type: 'end', reason: 'length', promptTokens: body.promptIds.length, completionTokens: work.done, cachedTokens: 0 },
      });
      works.splice(works.indexOf(work), 1);
    }
  }
}

function harm(id: number | undefined, request: number): void {
  if (id === harmful.exit) process.exit(3);
  // Nothing is said any more, and nothing heard.
  if (id === harmful.block) for (;;);
  if (id === harmful.loseDevice) send({ type: 'died', error: { code: 'device_lost', fields: { reason: 'test' } } });
  // Of requests that are not there, or have ended, or are yet to come.
  if (id === harmful.speakForOthers)
    for (let other = 0; other < request + 50; other++) {
      if (other !== request) send({ type: 'event', request: other, event: packEvent({ type: 'token', id: 0 as TokenId }) });
    }
}

function sendStats(): void {
  send({
    type: 'stats',
    stats: {
      ...emptyStats,
      ...{ running: Math.min(places, works.length), waiting: Math.max(0, works.length - places) },
      ...{ kvBlocksTotal: 10, kvBlocksFree: 10 - Math.min(places, works.length) },
      ...{ steps, generatedTokens, dispatchesPerStep: 1, memory: { kv: 1 } },
    },
  });
}

function receive(message: ToEngine): void {
  if (message.type === 'open') open(message);
  else if (message.type === 'generate') works.push({ request: message.request, body: message.body, done: 0 });
  else if (message.type === 'close') process.exit(0);
  else if (message.type === 'abort') {
    const index = works.findIndex(({ request }) => request === message.request);
    if (index >= 0) works.splice(index, 1);
  }
}

parent.listen({ message: receive, closed: () => process.exit(0) });
