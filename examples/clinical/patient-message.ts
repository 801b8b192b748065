/** A message to a patient at a reading level, which is measured. `node examples/clinical/patient-message.ts --help` */
import { open, warnIfCut } from './ask.ts';
import { measureGrade } from './readability.ts';

const {
  input,
  client,
  maxTokens,
  extra: grade,
} = open({
  about: 'Writes a result for a patient in plain words and measures how hard it is to read (Flesch-Kincaid grade, English).',
  sample: 'result.txt',
  maxTokens: 300,
  extra: { name: 'grade', about: 'highest school grade', value: 6 },
});

const tries = 3;
const task = `You write to patients. Explain the result below in short sentences and common words, for a reader of school grade ${grade}. Give no advice that is not in it.`;

/** The easiest of the tries; the first that is easy enough ends them. */
let best: { readonly text: string; readonly grade: number } | undefined;
for (let seed = 0; seed < tries && (best === undefined || best.grade > grade); seed++) {
  const harder = best === undefined ? '' : ` Your last message was of grade ${best.grade.toFixed(1)}: use shorter words and sentences.`;
  const { choices } = await client.chat.completions.create({
    model: 'default',
    messages: [
      { role: 'system', content: task + harder },
      { role: 'user', content: input },
    ],
    max_completion_tokens: maxTokens,
    seed,
  });
  const text = choices[0]?.message.content ?? '';
  warnIfCut(choices[0]?.finish_reason);
  const found = measureGrade(text);
  if (best === undefined || found < best.grade) best = { text, grade: found };
}
console.log(best?.text);
console.log(`\nFlesch-Kincaid grade ${best?.grade.toFixed(1)}; asked for at most ${grade}.`);
if (best !== undefined && best.grade > grade) process.exitCode = 1;
