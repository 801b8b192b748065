/** Owns what a malformed file of the fixtures is held to: refused or read as it should be, in bounded time and memory, always with a whole sentence. */
import { expect } from 'vitest';
import { openCheckpoint } from '../runtime/checkpoint/index.ts';
import { type ErrorCode, InwardError } from '../runtime/errors.ts';
import type { MalformedCase } from './test-data.ts';

/** What opening it throws; undefined where it opens. */
export function openingError(path: string): unknown {
  try {
    openCheckpoint(path)[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** `code`: of files that are to be refused. */
export function checkMalformed(path: string, expected: MalformedCase['expect'], code: ErrorCode): void {
  const started = performance.now();
  const heap = process.memoryUsage();
  const error = openingError(path);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  expect(performance.now() - started).toBeLessThan(1000);
  expect(heapUsed - heap.heapUsed + arrayBuffers - heap.arrayBuffers).toBeLessThan(32 * 2 ** 20);
  if (expected === 'reject') {
    expect(error).toBeInstanceOf(InwardError);
    expect((error as InwardError).code).toBe(code);
    expect((error as InwardError).message).not.toMatch(/\?|undefined|NaN/);
  } else if (expected !== 'either') expect(error).toBeUndefined();
}
