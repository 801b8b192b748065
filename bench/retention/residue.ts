/**
 * Owns the residue of a server, ours or another: how many copies of random words are in the memory of all its processes after requests of
 * every kind that both take, shortly after the last answer and after a time without work. Linux; as the server's user, or root.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../../server/cli/options.ts';
import { Markers } from '../../server/prove/markers.ts';
import { countInMemory } from '../../server/prove/memory.ts';
import { listTree } from '../../server/prove/tree.ts';
import { authorize } from '../serve/client.ts';

export interface ResidueOptions {
  readonly url: string;
  readonly key: string | undefined;
  readonly model: string;
  /** Of the server; its processes are those below it too. */
  readonly pid: number;
  readonly requests: number;
  /** From the last answer to the last look, in ms. */
  readonly idleMs: number;
}

export interface Residue {
  readonly requests: number;
  readonly markers: number;
  /** Copies in all processes together. */
  readonly first: number;
  readonly last: number;
  readonly processes: number;
}

/** From the last answer to the first look, in ms: longer than our own server waits with its scrub. */
const firstMs = 3000;

/** Throws UsageError where a request fails, or the memory may not be read. */
export async function measureResidue(options: ResidueOptions): Promise<Residue> {
  const { pid, requests, idleMs } = options;
  const markers = new Markers();
  for (let index = 0; index < requests; index++) await send(index, markers, options);
  await sleep(firstMs);
  const first = countCopies(pid, markers);
  await sleep(Math.max(0, idleMs - firstMs));
  return { requests, markers: markers.count, first, last: countCopies(pid, markers), processes: listTree(pid).length };
}

/** Chats and prompts, whole and as streams, one after the other; each with words of its own. */
async function send(index: number, { next }: Markers, { url, key, model }: ResidueOptions): Promise<void> {
  const isChat = index % 2 === 0;
  const words = `${next()} ${next()}`;
  const body = {
    ...{ model, max_tokens: 8, stream: index % 4 > 1 },
    ...(isChat ? { messages: [{ role: 'user', content: words }] } : { prompt: words }),
  };
  const answer = await fetch(new URL(isChat ? '/v1/chat/completions' : '/v1/completions', url), {
    ...{ method: 'POST', headers: { 'content-type': 'application/json', ...authorize(key) } },
    body: JSON.stringify(body),
  }).catch(() => undefined);
  if (answer?.status !== 200) throw new UsageError(`The server did not answer a request for the residue (status ${answer?.status ?? 0}).`);
  await answer.arrayBuffer();
}

function countCopies(pid: number, { memoryNeedles }: Markers): number {
  return listTree(pid).reduce((sum, process) => {
    const found = countInMemory(process, memoryNeedles);
    if (found === undefined) throw new UsageError(`The memory of process ${process} cannot be read: be its user, or root.`);
    return sum + found.total;
  }, 0);
}
