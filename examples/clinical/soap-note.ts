/** A SOAP note from the dialogue of a visit, as it is written. `node examples/clinical/soap-note.ts --help` */
import { open, warnIfCut } from './ask.ts';

const { input, client, maxTokens } = open({ about: 'Writes a SOAP note from the dialogue of a visit.', sample: 'visit.txt', maxTokens: 600 });

const task = `You write clinical notes. Write a SOAP note of the visit below with the headings Subjective, Objective, Assessment and Plan.
Use only what was said. Where nothing was said, write "not discussed".`;

const stream = await client.chat.completions.create({
  model: 'default',
  messages: [
    { role: 'system', content: task },
    { role: 'user', content: input },
  ],
  max_completion_tokens: maxTokens,
  temperature: 0,
  stream: true,
});
for await (const { choices } of stream) {
  process.stdout.write(choices[0]?.delta.content ?? '');
  warnIfCut(choices[0]?.finish_reason);
}
process.stdout.write('\n');
