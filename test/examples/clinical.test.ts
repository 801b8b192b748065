/** The clinical recipes as they are run: against a server whose answers are known, what they send and what they print. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../scripts/node.mjs';
import { say } from '../fake-text.ts';
import { type Bench, listen } from '../server/help.ts';
import { startScript } from './script.ts';

const recipes = ['soap-note', 'prior-authorization', 'patient-message', 'fhir-summary'] as const;
const run = (recipe: (typeof recipes)[number], bench: Bench, ...more: readonly string[]) =>
  startScript(join(root, 'examples/clinical', `${recipe}.ts`), ['--url', bench.url, ...more], 'none');

test('every recipe has a help, and refuses other options', async () => {
  const script = (recipe: string) => join(root, 'examples/clinical', `${recipe}.ts`);
  const helps = await Promise.all(recipes.map((recipe) => startScript(script(recipe), ['--help'], 'none')));
  for (const [place, recipe] of recipes.entries()) {
    const usage = new RegExp(`Usage: .*examples/clinical/${recipe}\\.ts.*--url.*--max-tokens`, 's');
    expect(helps[place]).toEqual({ code: 0, out: expect.stringMatching(usage), err: '' });
  }
  const wrong = await startScript(script('soap-note'), ['--nothing'], 'none');
  expect(wrong).toEqual({ code: 2, out: '', err: expect.stringMatching(/^Unknown option '--nothing'.*See --help\.\n$/s) });
});

test('soap-note prints the note as it comes, and says when it was cut', async () => {
  await using bench = await listen({ script: say('Subjective: cough.\nPlan: losartan.') });
  expect(await run('soap-note', bench)).toEqual({ code: 0, out: 'Subjective: cough.\nPlan: losartan.\n', err: '' });
  expect(bench.text.chats[0]?.[1]?.content).toContain('I have had a cough for nine days.');
  const cut = await run('soap-note', bench, '--max-tokens', '11');
  expect([cut.out, cut.err]).toEqual(['Subjective:\n', '\nThe answer was cut: raise --max-tokens.\n']);
});

test('prior-authorization writes a letter of the fields, and none of half an answer', async () => {
  const fields = { service: 'adalimumab', diagnosis: 'psoriasis', icd10: 'L40.0', urgency: 'standard', necessity: 'Three treatments failed.' };
  const triedBefore = [{ treatment: 'phototherapy', outcome: 'no effect' }];
  await using bench = await listen({ script: say(JSON.stringify({ ...fields, triedBefore })) });
  const { code, out } = await run('prior-authorization', bench);
  expect([code, out.split('\n\n')]).toEqual([
    0,
    [
      ...['Re: prior authorization (standard) of adalimumab', 'Diagnosis: psoriasis (ICD-10 L40.0)', 'To whom it may concern,', 'Three treatments failed.'],
      ...['Tried before:\n- phototherapy: no effect', 'Draft. To be checked and signed by the ordering clinician.\n'],
    ],
  ]);
  // The server was asked to hold the answer to the schema.
  expect(JSON.parse(new TextDecoder().decode(bench.text.grammars[0]?.source)).properties.icd10.pattern).toContain('[A-TV-Z]');
  const cut = await run('prior-authorization', bench, '--max-tokens', '20');
  expect([cut.code, cut.out, cut.err]).toEqual([1, '', 'The letter was cut: raise --max-tokens.\n']);
});

test('patient-message asks until it is easy enough, and says how easy the easiest is', async () => {
  const hard = 'Pharmacological intervention necessitates comprehensive endocrinological evaluation.';
  const easy = 'The cat sat on the mat.';
  await using bench = await listen({ script: (_, { sampling }) => say(sampling?.seed === 0 ? hard : easy)() });
  const { code, out } = await run('patient-message', bench, '--grade', '5');
  expect([code, out]).toEqual([0, `${easy}\n\nFlesch-Kincaid grade -1.4; asked for at most 5.\n`]);
  expect(bench.engine.requests).toHaveLength(2);
  expect(bench.text.chats[1]?.[0]?.content).toContain('use shorter words');
});

test('fhir-summary sends no identifier, and its summary has them again', async () => {
  await using bench = await listen({ script: say('Ms. [NAME-1] ([MRN-1]) takes metformin; call [PHONE-1].') });
  const { code, out, err } = await run('fhir-summary', bench);
  expect([code, out]).toEqual([0, 'Ms. Okonkwo (MRN-4417032) takes metformin; call (212) 555-0147.\n']);
  expect(err).toMatch(/^replaced: .*MRN 1, NAME 4/);
  const sent = bench.text.chats[0]?.[1]?.content ?? '';
  expect(sent).toContain('metformin 500 mg twice a day');
  for (const identifier of ['Okonkwo', 'Marisol', '4417032', '555-0147', '1958', 'Larch', 'Springfield', '01103', 'May 3'])
    expect(sent).not.toContain(identifier);
});
