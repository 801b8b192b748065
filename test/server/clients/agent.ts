/**
 * Owns a server without a model that an agent can talk to: it thinks, looks a patient up with a tool, and answers when the tool has.
 */
import type { FakeEngineOptions } from '../../fake-engine.ts';
import { endId } from '../../fake-text.ts';
import { type Bench, listen } from '../help.ts';
import { format, writeCall } from '../openai/answering.ts';

const calling = `<think>\nWhich ward?\n</think>\n\n${writeCall('find', { ward: 'Ä3' })}`;
export const finding = { bed: 4 };
export const answer = 'In bed 4.';

/** `text`: the answer to everything, in place of that. */
export async function listenAsAgent(text?: string, options: Partial<FakeEngineOptions> = {}): Promise<Bench> {
  const script = (ids: Uint32Array): readonly number[] => {
    const asked = Buffer.from(ids.filter((id) => id < 256)).toString();
    return [...Buffer.from(text ?? (asked.includes('tool:') ? answer : calling)), endId];
  };
  const bench = await listen({ script, ...options });
  bench.text.format = format;
  return bench;
}
