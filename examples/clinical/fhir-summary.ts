/**
 * A summary of a FHIR bundle that leaves this machine without identifiers: they are replaced by tags before it is sent, and put back into the answer as
 * it comes. `node examples/clinical/fhir-summary.ts --help`
 */
import { createRestorer, deidentify } from 'inward/deid';
import { open, warnIfCut } from './ask.ts';

const { input, client, maxTokens } = open({
  about: 'Summarizes a FHIR bundle; the server gets it without identifiers, and the summary has them again.',
  sample: 'bundle.json',
  maxTokens: 400,
});

const { text, counts, mapping } = deidentify(input);
using _ = mapping;
console.error(
  `replaced: ${
    Object.entries(counts)
      .map(([category, count]) => `${category} ${count}`)
      .join(', ') || 'nothing'
  }`,
);

const stream = await client.chat.completions.create({
  model: 'default',
  messages: [
    {
      role: 'system',
      content:
        'Summarize the record below for a clinician who takes over, in five sentences. Tags like [NAME-1] stand for identifiers: write them as they are.',
    },
    { role: 'user', content: text },
  ],
  max_completion_tokens: maxTokens,
  temperature: 0,
  stream: true,
});
const restorer = createRestorer(mapping);
for await (const { choices } of stream) {
  process.stdout.write(restorer.push(choices[0]?.delta.content ?? ''));
  warnIfCut(choices[0]?.finish_reason);
}
process.stdout.write(`${restorer.end()}\n`);
