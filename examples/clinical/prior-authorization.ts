/** A letter for prior authorization, from fields that a JSON schema holds the answer to. `node examples/clinical/prior-authorization.ts --help` */
import { end, open } from './ask.ts';

const { input, client, maxTokens } = open({
  about: 'Drafts a letter that asks a payer to authorize a service, from a chart summary.',
  sample: 'chart.txt',
  maxTokens: 900,
});

interface Letter {
  readonly service: string;
  readonly diagnosis: string;
  readonly icd10: string;
  readonly urgency: 'standard' | 'expedited';
  readonly necessity: string;
  readonly triedBefore: readonly { readonly treatment: string; readonly outcome: 'no effect' | 'partial effect' | 'not tolerated' }[];
}

const short = { type: 'string', minLength: 1, maxLength: 80 };
const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['service', 'diagnosis', 'icd10', 'urgency', 'necessity', 'triedBefore'],
  properties: {
    service: short,
    diagnosis: short,
    icd10: { type: 'string', pattern: '^[A-TV-Z][0-9][0-9A-B](\\.[0-9A-Z]{1,4})?$' },
    urgency: { enum: ['standard', 'expedited'] },
    necessity: { type: 'string', minLength: 1, maxLength: 600 },
    triedBefore: {
      type: 'array',
      maxItems: 4,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['treatment', 'outcome'],
        properties: { treatment: short, outcome: { enum: ['no effect', 'partial effect', 'not tolerated'] } },
      },
    },
  },
};

const { choices } = await client.chat.completions.create({
  model: 'default',
  messages: [
    { role: 'system', content: 'You prepare requests for prior authorization. Take every fact from the chart below; invent nothing.' },
    { role: 'user', content: input },
  ],
  response_format: { type: 'json_schema', json_schema: { name: 'letter', strict: true, schema } },
  max_completion_tokens: maxTokens,
  temperature: 0,
});
// The schema holds what was written to its form, so that only an answer that was cut is not whole.
if (choices[0]?.finish_reason === 'length') end('The letter was cut: raise --max-tokens.', 1);
const letter = JSON.parse(choices[0]?.message.content ?? '') as Letter;

const tried = letter.triedBefore.map(({ treatment, outcome }) => `- ${treatment}: ${outcome}`);
console.log(
  [
    `Re: prior authorization (${letter.urgency}) of ${letter.service}`,
    `Diagnosis: ${letter.diagnosis} (ICD-10 ${letter.icd10})`,
    `To whom it may concern,\n\n${letter.necessity}`,
    tried.length === 0 ? 'No other treatment has been tried.' : `Tried before:\n${tried.join('\n')}`,
    'Draft. To be checked and signed by the ordering clinician.',
  ].join('\n\n'),
);
