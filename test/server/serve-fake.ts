/**
 * A process that runs `inward serve` over fakes, for tests that need real signals. Usage: serve-fake.ts ARGUMENTS
 */
import { runCommand } from '../../server/cli/index.ts';
import { createProcessWorld } from '../../server/world.ts';
import { say } from '../fake-text.ts';
import { FakeWorld } from './fake-world.ts';

const fake = new FakeWorld({ script: say('x'.repeat(3000)), stepMs: 5 });
const { out, err, signals } = createProcessWorld();
process.exitCode = await runCommand(process.argv.slice(2), {
  out,
  err,
  signals,
  openEngine: (options) => fake.openEngine(options),
  openText: () => fake.openText(),
  ensureDevice: (wanted) => fake.ensureDevice(wanted),
  ensureDefaultModel: () => fake.ensureDefaultModel(),
  readInput: () => fake.readInput(),
});
