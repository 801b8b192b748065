/** Every sentence is complete, and nothing but numbers and chosen names can get into one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ErrorCode, formatBytes, InwardError, toInwardError } from '../../runtime/errors.ts';

const root = join(import.meta.dirname, '../..');
const table = /const table = \{([\s\S]*?)\n\} as const/.exec(readFileSync(join(root, 'runtime/errors.ts'), 'utf8'))?.[1] ?? '';
const rows = [...table.matchAll(/^ {2}(\w+): \{[\s\S]*?sentence: '(.*?)',[\s\S]*?remedy:\s*'(.*?)'/gm)].map(([, code = '', sentence = '', remedy = '']) => ({
  code,
  sentence,
  remedy,
}));
const places = (sentence: string): string[] => [...sentence.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);

test('the table was read', () => expect(rows.length).toBeGreaterThan(20));

test.each(rows)('$code: a sentence and a remedy, every place filled', ({ code, sentence, remedy }) => {
  const fields = Object.fromEntries(places(sentence).map((name, i) => [name, i]));
  const { message } = new InwardError(code as ErrorCode, fields);
  expect(message).not.toMatch(/[{}?]/);
  expect(sentence).toMatch(/^[A-Z{].*\.$/);
  expect(remedy).toMatch(/^[A-Z].*\.$/);
});

/** Every `new InwardError('code', { ... })` in the sources gives the fields that its sentence has. */
test('wherever an error is raised its fields are given', () => {
  const folders = ['runtime', 'models', 'kernels', 'server', 'scripts'];
  const files = folders.flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(root, folder, name)));
  let count = 0;
  for (const file of files.filter((name) => name.endsWith('.ts'))) {
    const source = readFileSync(file, 'utf8');
    for (const [, code, , body = ''] of source.matchAll(/new InwardError\('(\w+)'(, \{([^{}]*(?:\$\{[^}]*\}[^{}]*)*)\})?\)/g)) {
      const row = rows.find((one) => one.code === code);
      expect(row, code).toBeDefined();
      for (const place of places(row?.sentence ?? '')) expect(body, `${code} in ${file.slice(root.length)}`).toMatch(new RegExp(`\\b${place}\\b`));
      count++;
    }
  }
  expect(count).toBeGreaterThan(30);
});

test('a foreign error leaves its text behind', () => {
  const error = toInwardError(new Error('the patient Jane Doe'), 'a step');
  expect(JSON.stringify([error.message, error.fields, error.stack, error.cause])).not.toContain('Jane');
  expect([error.code, error.kind]).toEqual(['internal', 'internal']);
  const ours = new InwardError('aborted');
  expect(toInwardError(ours, 'a step')).toBe(ours);
});

test('bytes as people read them', () => {
  expect([0, 1023, 1024, 5.1 * 2 ** 30, 3 * 2 ** 50].map(formatBytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '5.1 GiB', '3072.0 TiB']);
});
