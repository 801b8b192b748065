/**
 * The engine inside another program: text in, text out, no server. Usage: node examples/embed.ts MODEL.gguf "question"
 */
import { openEngine } from 'inward';
import { openText } from 'inward/text';

const [modelPath = 'model.gguf', question = 'Why is the sky blue?'] = process.argv.slice(2);
await using engine = await openEngine({ modelPath, contextLength: 1024, maxSequences: 1 });
await using text = await openText({ modelPath });

const promptIds = await text.encodeChat([{ role: 'user', content: question }]);
const decoder = text.createDecoder();
for await (const event of engine.generate({ promptIds, maxTokens: 128, stopIds: text.info.stopIds })) {
  if (event.type === 'token') process.stdout.write(decoder.push(event.id));
}
process.stdout.write(`${decoder.end()}\n`);
