/**
 * Sends ids to a child and gets them back, many times, in messages of every size, and wipes its own; then prints the child's number and waits.
 * The ids are those of the arguments with all bits turned round, so that nobody else holds them.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Link, linkedStdio } from '../../../runtime/link/link.ts';
import type { Echoed } from './link-child.ts';

const turned = process.argv.slice(2).map(Number);
const child = spawn(process.execPath, [fileURLToPath(new URL('./link-child.ts', import.meta.url))], { stdio: linkedStdio });
const link = Link.toChild<Echoed, Echoed>(child);

for (let turn = 0; turn < 200; turn++) {
  const length = turned.length * (turn % 50 === 0 ? 20_000 : 1 + turn);
  const ids = new Uint32Array(new ArrayBuffer(4 * length));
  for (let i = 0; i < length; i++) ids[i] = ~(turned[i % turned.length] ?? 0);
  const { promise, resolve } = Promise.withResolvers<Echoed>();
  link.listen({ message: resolve });
  link.send({ ids });
  const { ids: echoed = new Uint32Array() } = await promise;
  if (echoed.length !== length || echoed.some((id, i) => id !== ids[i])) throw new Error('something else came back');
  echoed.fill(0);
  ids.fill(0);
}
process.stdout.write(`${child.pid}\n`);
