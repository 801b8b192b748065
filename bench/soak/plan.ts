/**
 * Owns what a soak sends: a row of turns, endless if need be, each a request or several of one prompt at once, drawn from a seed. All that a client can do is
 * in it: tenants, salts, classes, groups, log-probabilities, leaving, aborting, deadlines, slow reading. Pure.
 */
import { createRandom, drawInteger, joinSeeds, type Random } from '../serve/random.ts';
import { drawCount, type Known, promptCount } from './known.ts';

/** How its client behaves: reads to the end; leaves after so many tokens; aborts after a time; sets a deadline; stops reading for a while. */
export type Behaviour =
  | { readonly type: 'read' }
  | { readonly type: 'leave'; readonly after: number }
  | { readonly type: 'abort'; readonly afterMs: number }
  | { readonly type: 'deadline'; readonly deadlineMs: number }
  | { readonly type: 'stall' };

export interface PlannedRequest {
  readonly known: Known;
  readonly maxTokens: number;
  readonly behaviour: Behaviour;
  readonly tenant: number;
  readonly priority: 'interactive' | 'batch';
  readonly cacheSalt?: Uint32Array;
  readonly keepsPrefix: boolean;
  readonly logprobs?: number;
  readonly group?: number;
}

/** What is sent at once. */
export type Turn = readonly PlannedRequest[];

/** Parts of a hundred requests, the rest is read to the end; of answers that are long enough for it, part that stalls. */
const share = { leave: 12, abort: 10, deadline: 8 } as const;
const stallShare = 0.25;
const groupShare = 0.12;
const tenantCount = 3;
const leastStalled = 100;

/** `count`: turns at most. */
export function* planTurns(known: readonly Known[], seed: number, count: number = Number.POSITIVE_INFINITY): Generator<Turn> {
  for (let number = 0; number < count; number++) {
    const random = createRandom(joinSeeds(seed, 3, number));
    const prompt = drawInteger(random, 0, promptCount - 1);
    const isGroup = random() < groupShare;
    const common = {
      tenant: drawInteger(random, 1, tenantCount),
      priority: random() < 0.25 ? 'batch' : 'interactive',
      keepsPrefix: random() < 0.9,
      ...(random() < 0.1 && { cacheSalt: Uint32Array.of(drawInteger(random, 1, 2)) }),
      ...(isGroup && { group: number }),
    } as const;
    const size = isGroup ? drawInteger(random, 2, drawCount) : 1;
    const first = isGroup ? 0 : drawInteger(random, 0, drawCount - 1);
    yield Array.from({ length: size }, (_, i): PlannedRequest => {
      const one = known[prompt * drawCount + first + i] as Known;
      return { known: one, ...common, ...drawManner(random, one.tokens.length), ...(random() < 0.1 && { logprobs: 3 }) };
    });
  }
}

function drawManner(random: Random, longest: number): Pick<PlannedRequest, 'maxTokens' | 'behaviour'> {
  if (longest >= leastStalled && random() < stallShare) return { maxTokens: longest, behaviour: { type: 'stall' } };
  const maxTokens = drawInteger(random, 1, Math.min(24, longest));
  let lot = random() * 100;
  if ((lot -= share.leave) < 0) return { maxTokens, behaviour: { type: 'leave', after: drawInteger(random, 1, maxTokens) } };
  if ((lot -= share.abort) < 0) return { maxTokens, behaviour: { type: 'abort', afterMs: drawInteger(random, 0, 800) } };
  if ((lot -= share.deadline) < 0) return { maxTokens, behaviour: { type: 'deadline', deadlineMs: drawInteger(random, 1, 40) ** 2 } };
  return { maxTokens, behaviour: { type: 'read' } };
}
