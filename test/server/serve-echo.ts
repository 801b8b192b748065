/**
 * A server in a process of its own whose answers repeat the question, over fakes that forget at once what they were asked; for tests
 * that look into its memory. Prints its URL, and a line after each scrub. Usage: serve-echo.ts paced|plain [MS until a scrub under load]
 */
import { buildApp } from '../../server/app.ts';
import { parseSettings } from '../../server/config.ts';
import { Scrubber } from '../../server/scrub.ts';
import { FakeEngine } from '../fake-engine.ts';
import { endId, FakeText } from '../fake-text.ts';
import { openTo } from './doorkeeper.ts';

/** Buffer.from would leave bytes of its own in the pool. */
class QuietText extends FakeText {
  override async encode(text: string): Promise<Uint32Array> {
    return Uint32Array.from(text, (character) => character.charCodeAt(0));
  }
}

const text = new QuietText();
const engine = new FakeEngine({ script: (ids) => [...ids.filter((id) => id < 256), endId], info: { contextLength: 65_536 } });
setInterval(() => {
  engine.requests.length = engine.prompts.length = 0;
  text.chats.length = text.given.length = 0;
}, 10);
const scrubber = new Scrubber({
  delayMs: 200,
  overdueMs: Number(process.argv[3] ?? 60_000),
  onScrub: (ms) => process.stdout.write(`scrubbed ${Math.round(ms)}\n`),
});
const shape = process.argv[2] === 'paced' ? 'paced' : 'plain';
const app = buildApp({ ...openTo({ engine, text }, { shape }), settings: parseSettings({ streamCadenceMs: 20 }), scrubber });
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' })}\n`);
