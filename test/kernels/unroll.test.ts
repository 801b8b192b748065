/** Short loops and small arrays written out: what is produced, and what is refused. */
import { expect, it } from 'vitest';
import { unroll } from '../../kernels/unroll.ts';

const squeeze = (text: string): string =>
  text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([{}]) ?/g, '$1')
    .trim();

it('a marked loop becomes its turns, nested ones too, and arrays become variables', () => {
  const text = `fn main() {
  var sums: array<array<f32, N>, 2>;
  #unroll
  for (var r = 0u; r < 2u; r++) {
    #unroll
    for (var t = 0u; t < N; t++) {
      sums[r][t] += row(r) * f32(t);
    }
  }
  use(sums[1 / 1][N - 1u]);
}`;
  expect(squeeze(unroll(text, { N: 2 }, 'x'))).toBe(
    squeeze(`fn main() { var sums_0_0: f32; var sums_0_1: f32; var sums_1_0: f32; var sums_1_1: f32;
      {{ sums_0_0 += row(0u) * f32(0u); } { sums_0_1 += row(0u) * f32(1u); } }
      {{ sums_1_0 += row(1u) * f32(0u); } { sums_1_1 += row(1u) * f32(1u); } }
      use(sums_1_1); }`),
  );
});

it('a value at the declaration stays one, so that it is set in every turn of a loop around it', () => {
  expect(squeeze(unroll('fn f() { var a = array<vec2f, 2>(); a[0u] += a[1u]; }', {}, 'x'))).toBe(
    squeeze('fn f() { var a_0 = vec2f(); var a_1 = vec2f(); a_0 += a_1; }'),
  );
});

it('what is not marked, and arrays that are used whole or by a variable, stay as they are', () => {
  for (const text of [
    'fn f() { for (var i = 0u; i < 2u; i++) { g(i); } }',
    'fn f() { var a: array<f32, 2>; g(a); a[0u] = 1.0; }',
    'fn f(i: u32) { var a: array<f32, 2>; a[i] = 1.0; }',
    'fn f() { var a: array<f32, UNKNOWN>; a[0u] = 1.0; }',
    'var<private> a: array<f32, 2>;',
  ])
    expect(unroll(text, { N: 2 }, 'x')).toBe(text);
});

it('names are whole words, and an array ends with its block', () => {
  expect(squeeze(unroll('fn f() { { var a: array<f32, 1>; a[0u] = aa + b.xa; } a[0u] = 2.0; }', {}, 'x'))).toBe(
    squeeze('fn f() { { var a_0: f32; a_0 = aa + b.xa; } a[0u] = 2.0; }'),
  );
});

it.each([
  ['#unroll\nfor (var i = 0u; i < 2u; i++) { break; }', /left early/],
  ['#unroll\nfor (var i = 0u; i < COUNT; i++) { g(i); }', /COUNT, which is not known/],
  ['#unroll\nfor (var i = 1u; i < 2u; i++) { g(i); }', /does not stand before/],
  ['#unroll\nlet a = 1u;', /does not stand before/],
  ['#unroll\nfor (var i = 0u; i < 2u; i++) { g(i);', /not closed/],
])('%s is refused', (text, message) => {
  expect(() => unroll(text, {}, 'kernel.wgsl')).toThrow(message);
});

it('the kernels that the hot loop runs have no array left that only numbers index', async () => {
  const { matmulVariants } = await import('../../kernels/matmul.ts');
  const { compose } = await import('../../kernels/compose.ts');
  const layout = { BATCH_LOGIT_TOKENS: 4 };
  const places = { weights: 'texture', x: 'texture', y: 'texture' } as const;
  for (const lanes of [4, 8, 32]) {
    for (const variant of matmulVariants({
      storage: 'Q4_1',
      activations: 'f32',
      places,
      lanes,
      isNormed: true,
      rows: 64,
      columns: 64,
      over: 'tokens',
      finish: 'store',
      layout,
    })) {
      const main = compose(variant).split('fn main')[1] ?? '';
      // The results go to the epilogue as one array.
      expect(new Set(Array.from(main.matchAll(/var (\w+)(?:: | = )array</g), ([, name]) => name))).toEqual(new Set(['results']));
    }
  }
});
