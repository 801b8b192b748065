import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { createCharts, writeCharts } from '../../bench/charts.ts';
import { readSavedRecord } from '../../bench/saved.ts';
import { drawChart } from '../../bench/svg.ts';
import { UsageError } from '../../server/cli/options.ts';
import { savedRecord, statistic } from './records.ts';
import { parseSvg } from './svg.ts';

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('a chart: bars as long as their values, ranges, title, units and the caption', () => {
  const chart = createCharts(savedRecord).get('decode.svg');
  const svg = drawChart(chart as NonNullable<typeof chart>, String);
  const elements = parseSvg(svg);
  const texts = elements.filter(({ name }) => name === 'text').map(({ text }) => text);
  expect(texts).toEqual([
    'Decoding, m',
    'prompt of 128 tokens, 16 new (tok/s)',
    'Inward',
    '20',
    'llama.cpp Vulkan',
    '5',
    'lavapipe on A <fast> CPU, 2 cores; Inward 1.2.3, 2026-01-02; medians of 3 rounds (lowest to highest)',
  ]);
  const widths = elements.filter(({ name }) => name === 'rect').map(({ attributes }) => Number(attributes['width']));
  expect((widths[0] ?? 0) / (widths[1] ?? 0)).toBeCloseTo(4, 1);
  const [own] = elements.filter(({ name }) => name === 'line').map(({ attributes }) => Number(attributes['x2']) - Number(attributes['x1']));
  // From 19 to 21, beside a bar of 20.
  expect((own ?? 0) / (widths[0] ?? 1)).toBeCloseTo(0.1, 2);
  expect(svg).toContain('prefers-color-scheme: dark');
});

test('units have scales of their own; without kernels there is no third chart', () => {
  const chart = createCharts(savedRecord).get('kernels.svg');
  const widths = parseSvg(drawChart(chart as NonNullable<typeof chart>, String))
    .filter(({ name }) => name === 'rect')
    .map(({ attributes }) => Number(attributes['width']));
  expect(widths).toEqual([200, 400, 40, 400]);
  expect([...createCharts({ ...savedRecord, kernels: [] }).keys()]).toEqual(['decode.svg', 'prefill.svg']);
});

test('whatever the names, the text is well-formed and everything lies inside the picture', () => {
  const words = fc.string({ unit: 'grapheme-ascii', maxLength: 30 });
  const bars = fc.array(fc.record({ name: words, value: fc.tuple(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })) }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(words, words, fc.array(fc.record({ label: words, unit: words, bars }), { minLength: 1, maxLength: 5 }), (title, caption, groups) => {
      const chart = {
        title,
        caption,
        groups: groups.map((group) => ({
          ...group,
          bars: group.bars.map(({ name, value: [median, spread] }) => ({ name, value: statistic(median, median * spread) })),
        })),
      };
      const [root, ...elements] = parseSvg(drawChart(chart, (value) => value.toFixed(1)));
      const [width, height] = [Number(root?.attributes['width']), Number(root?.attributes['height'])];
      for (const { attributes } of elements) {
        for (const key of ['x', 'x1', 'x2']) if (attributes[key] !== undefined) expect(Number(attributes[key])).toBeLessThan(width);
        for (const key of ['y', 'y1', 'y2']) if (attributes[key] !== undefined) expect(Number(attributes[key])).toBeLessThan(height);
        expect(Number(attributes['x'] ?? 0) + Number(attributes['width'] ?? 0)).toBeLessThanOrEqual(width);
      }
      expect(elements.filter(({ name }) => name === 'rect').length).toBe(groups.flatMap((group) => group.bars).length);
    }),
    { numRuns: 200 },
  );
});

test('a saved record draws the same charts again', () => {
  const folder = createFolder();
  const saved = join(folder, 'saved.txt');
  writeFileSync(saved, `some table\n\n${JSON.stringify(savedRecord)}\n`);
  const again = readSavedRecord(saved);
  expect(again).toEqual(savedRecord);
  const files = writeCharts(again, join(folder, 'img'));
  expect(files).toEqual(['decode', 'prefill', 'kernels'].map((name) => join(folder, 'img', `${name}.svg`)));
  for (const [name, chart] of createCharts(savedRecord))
    expect(parseSvg(readFileSync(join(folder, 'img', name), 'utf8')).find((element) => element.name === 'title')?.text).toBe(chart.title);
});

test('what is not a whole record is refused with the place', () => {
  const path = join(createFolder(), 'saved.txt');
  const read = (content: string) => () => {
    writeFileSync(path, content);
    return readSavedRecord(path);
  };
  const refusal = (found: RegExp) => new RegExp(`^Expected the saved output of this version of the bench in .*, found ${found.source}`);
  expect(() => readSavedRecord(join(path, 'none'))).toThrow(UsageError);
  expect(() => readSavedRecord(join(path, 'none'))).toThrow(refusal(/no file that can be read\.$/));
  expect(read('a table\n')).toThrow(refusal(/no JSON in its last line\.$/));
  expect(read('{}')).toThrow(refusal(/no record: at date: /));
  expect(read(JSON.stringify({ ...savedRecord, engines: [{ ...savedRecord.engines[0], loadMs: 1 }] }))).toThrow(refusal(/no record: at engines\.0\.loadMs: /));
  expect(read(JSON.stringify({ ...savedRecord, prompt: 'x' }))).toThrow(refusal(/no record: at the top: .*prompt/));
});
