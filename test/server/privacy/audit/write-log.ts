/** Owns a process that writes a log until it is killed: each number, from one on, on a line of its own when its record is durable. Usage: write-log.ts FOLDER NUMBER */
import { AuditLog } from '../../../../server/privacy/audit/log.ts';
import { createOptions, LogClock, mark } from './log-site.ts';

const [, , folder = '', first = '0'] = process.argv;
const clock = new LogClock();
// Its own days, and segments that are full soon.
clock.time += Number(first) * 1000;
const log = await AuditLog.open(folder, createOptions({ now: clock.now, segmentSize: 20_000 }));
if (log === undefined) throw new Error('the log is taken');
for (let number = Number(first); ; number += 3) {
  await Promise.all([0, 1, 2].map((i) => log.append(mark(number + i)).then(() => process.stdout.write(`${number + i}\n`))));
}
