/** How layers are told: the line, the sentences, and where they are shown. */
import { expect, test } from 'vitest';
import { heldReasons, type Layer, lackingReasons, layerNames } from '../../runtime/layers/types.ts';
import { describeReason, summarizeLayers } from '../../server/layers.ts';

const some: readonly Layer[] = [
  { name: 'sockets', state: 'held', reason: 'tried' },
  { name: 'files', state: 'held', reason: 'caches-only' },
  { name: 'core-handler', state: 'not available', reason: 'piped' },
  { name: 'swap', state: 'not available', reason: 'swap-on' },
];

test('the line counts what is held and names what is not, with its reason', () => {
  expect(summarizeLayers(some)).toBe('2 of 4 held; not available: core-handler (piped), swap (swap-on); inward doctor says more');
  expect(summarizeLayers(some.slice(0, 2))).toBe('2 of 2 held');
});

test('every layer and every reason has words of its own', () => {
  const sentences = layerNames.flatMap((name) => [...heldReasons, ...lackingReasons].map((reason) => describeReason({ name, state: 'held', reason })));
  expect(new Set(sentences).size).toBe(layerNames.length * (heldReasons.length + lackingReasons.length));
  for (const sentence of sentences) expect(sentence).toMatch(/^[\w ,]+: .{5,}/);
});
