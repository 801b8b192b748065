/** What the API reference is made of: declarations as the compiler writes them, told apart by a few rules. */
import { expect, test } from 'vitest';
import { readDeclarations, undocumentedMethods } from '../../scripts/docs/declarations.ts';
import { renderReference } from '../../scripts/docs/reference.ts';

test('statements with their own comments, without what is not exported', () => {
  const { declarations, passedOn } = readDeclarations(`/**
 * Owns the file.
 */
import type { A } from './a.ts';
type Hidden = { a: 1 };
/** Not of the next one. */
declare const hidden: unique symbol;
export { B, type C } from './b.ts';
export type { D, } from './c/d.ts';
/**
 * Makes { braces; and } more.
 * Second line.
 */
export declare function make(text: '};{', options?: {
    readonly a: number;
}): Promise<A>;
export interface Thing extends A {
    /** A number. */
    readonly count: number;
    run(): void;
    /** Documented. */
    stop(now: boolean): void;
}
/** A union. */
export type Either =
/** One. */
{
    readonly one: 1;
}
 | {
    readonly two: 2;
};
export declare class Box {
    #private;
    private secret;
    constructor(a: string);
    get size(): number;
}
export {};
`);
  expect(passedOn).toEqual([
    { name: 'B', from: './b.ts' },
    { name: 'C', from: './b.ts' },
    { name: 'D', from: './c/d.ts' },
  ]);
  expect(declarations.map(({ kind, name, doc }) => [kind, name, doc])).toEqual([
    ['function', 'make', 'Makes { braces; and } more.\nSecond line.'],
    ['interface', 'Thing', undefined],
    ['type', 'Either', 'A union.'],
    ['class', 'Box', undefined],
  ]);
  expect(declarations.map(({ code }) => code)).toEqual([
    "function make(text: '};{', options?: {\n  readonly a: number;\n}): Promise<A>;",
    'interface Thing extends A {\n  /** A number. */\n  readonly count: number;\n  run(): void;\n  /** Documented. */\n  stop(now: boolean): void;\n}',
    'type Either =\n/** One. */\n{\n  readonly one: 1;\n}\n| {\n  readonly two: 2;\n};',
    'class Box {\n  constructor(a: string);\n  get size(): number;\n}',
  ]);
  expect(declarations.map(undocumentedMethods)).toEqual([[], ['run'], [], []]);
});

test('the page holds every door, its functions and the errors', async () => {
  const { text } = await renderReference();
  for (const heading of ['## `inward`', '## `inward/text`', '## `inward/checkpoint`', '### openEngine', '### openText', '### openCheckpoint', '### TokenEvent'])
    expect(text).toContain(`\n${heading}\n`);
  expect(text).toContain('| `prompt_empty` | request | The prompt has no tokens. | Send at least one token. |');
  expect(text).not.toMatch(/\[object| $/m);
});
