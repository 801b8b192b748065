/**
 * Owns the time that the processors spent on a server: what a device that is a processor has for an answer, also where others use the machine.
 * Linux.
 */
import { listTree, readProcess } from '../../server/prove/tree.ts';

/** USER_HZ is 100 on every platform that Node runs on (time(7)). */
const ticksPerSecond = 100;

/** Of all its processes and those that have ended below them, user and system, in seconds. Source: proc_pid_stat(5). */
export function readCpuSeconds(pid: number): number {
  // utime, stime, cutime, cstime.
  return listTree(pid).reduce((sum, process) => sum + readTicks(process, 11, 15), 0) / ticksPerSecond;
}

/** Of one process alone, without those below it. */
export function readOwnCpuSeconds(pid: number): number {
  return readTicks(pid, 11, 13) / ticksPerSecond;
}

/** Fields from the third on: the name, in brackets, may hold blanks. */
function readTicks(pid: number, from: number, to: number): number {
  const fields = readProcess(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  return fields.slice(from, to).reduce((sum, field) => sum + Number(field), 0);
}
