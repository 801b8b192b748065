/** Python's clients as they are: openai, anthropic and instructor, against the command with a tiny model and against scripted servers. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Server, serve } from '../e2e/command.ts';
import { readOracle } from '../oracle.ts';
import { listenAsAgent } from '../server/clients/agent.ts';
import { type Bench, until } from '../server/help.ts';
import { findLack, type LockName, openEnvironment } from './environment.ts';
import { runAlone } from './program.ts';

const lack = await findLack();
const installMs = 600_000;
let server: Server;
/** Calls tools, writes for long, has no place. */
let scripted: Readonly<Record<'agent' | 'slow' | 'full', Bench>>;

beforeAll(async () => {
  if (lack !== undefined) return;
  server = await serve(readOracle('gguf_llama_q4_1').modelPath, '--context', '1024');
  scripted = {
    agent: await listenAsAgent(),
    slow: await listenAsAgent('x'.repeat(3000), { stepMs: 2 }),
    full: await listenAsAgent('', { places: 0 }),
  };
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  for (const bench of Object.values(scripted ?? {})) await bench[Symbol.asyncDispose]();
});

const programs: readonly (readonly [string, LockName, number])[] = [
  ['openai', 'official', 2],
  ['anthropic', 'official', 1],
  ['instructor', 'instructor', 0],
];

test.for(programs)('%s', { timeout: installMs }, async ([name, lock, leaving], { skip }) => {
  skip(lack !== undefined, lack);
  const python = await openEnvironment(lock);
  const { agent, slow, full } = scripted;
  const addresses = { INWARD_URL: server.url, INWARD_API_KEY: server.key, AGENT_URL: agent.url, SLOW_URL: slow.url, FULL_URL: full.url };
  const before = slow.engine.aborts;
  const { code, output } = await runAlone(python, [join(import.meta.dirname, `with_${name}.py`)], addresses, 120_000);
  expect(code, output).toBe(0);
  // unittest's own last lines.
  expect(output).toMatch(/^Ran [1-9]\d* tests? in .*\n\nOK$/m);
  // The answers that were left were not made to their end.
  await until(() => slow.engine.running === 0);
  expect(slow.engine.aborts - before).toBe(leaving);
});
