/** Where an answer without identifiers is cut: all of it comes through, and no more waits than has to. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ProseGate } from '../../../server/openai/prose-gate.ts';
import { deidentify } from '../../../server/privacy/deid/deidentify.ts';
import { Mapping } from '../../../server/privacy/deid/mapping/mapping.ts';

/** Texts that cut ends of sentences in two and in three. */
const pieces = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant('-'.repeat(170)) }, { weight: 3, arbitrary: fc.constantFrom('.', '"', ' ') }, fc.constantFrom('!', ']', '\t', '- ', '. -', '.\n')), { minLength: 40, maxLength: 80 }); // biome-ignore format: one line

test('what waits has no end of a line, and where it is long none of a sentence', () => {
  fc.assert(
    fc.property(pieces, (parts) => {
      using mapping = new Mapping();
      const gate = new ProseGate((text) => deidentify(text, { mapping }).text, false);
      let [all, given] = ['', ''];
      for (const part of parts) {
        all += part;
        const ready = gate.push(part);
        given += ready;
        const held = all.slice(given.length);
        expect(all.startsWith(given)).toBe(true);
        expect(held).not.toContain('\n');
        if (held.length >= 512) expect(held).not.toMatch(/[.!?:;]["')\]]?\s/);
        if (held.length >= 4096) expect(held).not.toContain(' ');
        if (ready !== '' && ready.length + held.length < 512) expect(ready.endsWith('\n')).toBe(true);
        if (ready !== '' && ready.length + held.length < 4096) expect(ready).toMatch(/(?:[.!?:;]["')\]]?\s|\n)$/);
      }
      expect(given + gate.end()).toBe(all);
    }),
    { numRuns: 200 },
  );
});
