/** Owns a process that writes requests into a log until that stops, then their ends; says as JSON how that went. */
import { setTimeout as sleep } from 'node:timers/promises';
import { AuditLog, StoppedError } from '../../../../server/privacy/audit/log.ts';
import { createOptions, finish, intend } from './log-site.ts';

const log = await AuditLog.open(process.argv[2] ?? '', createOptions({ roomSize: 2 ** 14 }));
if (log === undefined) throw new Error('the log is taken');
let cause: string | undefined;
let count = 0;
while (cause === undefined && count < 10_000) {
  await log.append(intend(count++)).catch((error: unknown) => {
    cause = error instanceof StoppedError ? error.cause : String(error);
  });
}
for (let number = 0; number < count; number++) log.append(finish(number)).catch(() => undefined);
for (let i = 0; i < 200 && log.openRequests.size > 0; i++) await sleep(10);
process.stdout.write(JSON.stringify({ cause, open: log.openRequests.size }));
await log[Symbol.asyncDispose]();
