/** Owns a process that writes a log until it is killed: a line when the first record is durable. */

import { AuditLog } from '../../../../server/privacy/audit/log.ts';
import { createOptions, mark } from './log-site.ts';

const log = await AuditLog.open(process.argv[2] ?? '', createOptions());
if (log === undefined) throw new Error('the log is taken');
for (let number = 0; ; number++) {
  await log.append(mark(number));
  if (number === 0) process.stdout.write('begun\n');
}
