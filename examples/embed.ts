/**
 * The engine inside another program, behind the same gate as the server: text in, text out, no HTTP. The key is that of
 * `npm start`, or one of the site's. Usage: INWARD_API_KEY=... node examples/embed.ts MODEL.gguf "question"
 */
import { findSiteFolder, openGuardedEngine } from 'inward/privacy';
import { openText } from 'inward/text';

const [modelPath = 'model.gguf', question = 'Why is the sky blue?'] = process.argv.slice(2);
const { INWARD_SITE: site, INWARD_API_KEY: key = '' } = process.env;
const guard = { site: findSiteFolder(site, process.env), key };
await using engine = await openGuardedEngine({ modelPath, contextLength: 1024, maxSequences: 1 }, guard);
await using text = await openText({ modelPath });

const promptIds = await text.encodeChat([{ role: 'user', content: question }]);
const decoder = text.createDecoder();
for await (const event of engine.generate({ promptIds, maxTokens: 128, stopIds: text.info.stopIds })) {
  if (event.type === 'token') process.stdout.write(decoder.push(event.id));
}
process.stdout.write(`${decoder.end()}\n`);
