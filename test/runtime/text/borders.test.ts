/** What crosses the border of the text process: checked both ways, and never in the way of this process's other work. */
import { afterAll, expect, test } from 'vitest';
import { InwardError } from '../../../runtime/errors.ts';
import { openText } from '../../../runtime/text/index.ts';
import { readAnswer } from '../../../runtime/text/protocol.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../../gguf-file.ts';
import { readFixture } from '../../test-data.ts';

const folder = createFolder();
afterAll(folder.remove);
const small = () => folder.write(ggufBytes(tokenizerPairs({ template: '{{ messages[0].content }}' })));
const marker = 'zqxjvkw';

async function refusal(work: Promise<unknown>): Promise<InwardError> {
  const error = await work.then(
    () => expect.fail('nothing was refused'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InwardError);
  expect(`${(error as Error).message} ${(error as Error).stack} ${JSON.stringify(error)}`).not.toContain(marker);
  return error as InwardError;
}

test.each([
  { deadlineMs: 0 },
  { deadlineMs: Number.POSITIVE_INFINITY },
  { memoryMiB: 1.5 },
  { renewAfterRequests: 0 },
  { renewIdleMs: Number.NaN },
  { renewIdleMs: 2 ** 31 },
])('option %o is refused by name', async (options) => {
  const { code, fields } = await refusal(openText({ modelPath: small(), ...options }));
  expect([code, fields['option']]).toEqual(['invalid_option', Object.keys(options)[0]]);
});

test('a path that is none', async () => expect((await refusal(openText({ modelPath: undefined as unknown as string }))).code).toBe('invalid_option'));

test('what is no text and no chat is refused by name, and says nothing of it; the process goes on', async () => {
  await using text = await openText({ modelPath: small() });
  const secret = () => marker;
  for (const wrong of [undefined, 7, secret, { marker }, 'x'.repeat(2 ** 24 + 1)]) {
    expect((await refusal(text.encode(wrong as string))).fields['path']).toBe('text');
  }
  const chats = [
    undefined,
    marker,
    [marker],
    [null],
    [{ role: 'user', content: secret }],
    [{ role: 'user', content: [{ marker }] }],
    [{ role: 'user', content: marker, name: 7 }],
  ];
  for (const wrong of [
    ...chats,
    [{ role: 'user' }],
    [
      { role: 'user', content: 'x'.repeat(2 ** 23) },
      { role: 'user', content: 'x'.repeat(2 ** 23) },
    ],
  ]) {
    const { code, fields } = await refusal(text.encodeChat(wrong as never));
    expect([code, fields['path']]).toEqual(['invalid_request', 'messages']);
  }
  // Fields that a message does not have stay here, also one that could not be sent.
  const extra = [{ role: 'user', content: 'a', secret }];
  expect(await text.encodeChat(extra)).toEqual(Uint32Array.of(97));
});

test.each([
  null,
  'failed',
  {},
  { kind: 'ids', ids: [1] },
  { kind: 'ids', ids: marker },
  { kind: 'failed', code: 'queue_full' },
  { kind: 'failed', code: marker },
  { kind: 'refused', code: 'toString' },
  { kind: 'ready' },
])('an answer of another form is none: %o', (message) => expect(readAnswer(message)).toBeUndefined());

test('a failed request brings a code and nothing else', () =>
  expect(readAnswer({ kind: 'failed', code: 'template_failed', fields: { part: marker } })).toEqual({ kind: 'failed', code: 'template_failed' }));

test.each([
  ['words', 'Der Patient nimmt 20 mg täglich, the patient takes 20 mg a day. 患者\n'],
  ['one word', 'x'],
  ['spaces', ' '],
  ['combining marks', 'e\u0301'],
])('200,000 characters of %s do not hold up this process', async (_, part) => {
  await using text = await openText({ modelPath: folder.write(readFixture('tokenizer/smollm2.gguf.gz')) });
  const long = part.repeat(Math.ceil(200_000 / part.length));
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  const before = performance.eventLoopUtilization();
  const started = performance.now();
  const encoding = text.encode(long);
  const called = performance.now() - started;
  const ids = await encoding;
  const took = performance.now() - started;
  const { utilization } = performance.eventLoopUtilization(before);
  clearInterval(ticking);
  expect(ids.length).toBeGreaterThan(1000);
  // Relative to the work itself: a slow machine slows both. On the main thread the call would be all of it, and no timer would fire.
  expect(called).toBeLessThan(took / 2);
  expect(ticks).toBeGreaterThan(took / 40);
  expect(utilization).toBeLessThan(0.6);
});
