/**
 * Owns the time that the processors spent on a server: what a device that is a processor has for an answer, also where others use the machine.
 * Linux.
 */
import { listTree, readProcess } from '../../server/prove/tree.ts';

/** USER_HZ is 100 on every platform that Node runs on (time(7)). */
const ticksPerSecond = 100;

/** Of all its processes and those that have ended below them, user and system, in seconds. Source: proc_pid_stat(5). */
export function readCpuSeconds(pid: number): number {
  const ticks = listTree(pid).reduce((sum, process) => {
    // The name, in brackets, may hold blanks. Fields 14 to 17: utime, stime, cutime, cstime.
    const fields = readProcess(process, 'stat')
      .replace(/^.*\) /s, '')
      .split(' ');
    return sum + fields.slice(11, 15).reduce((own, field) => own + Number(field), 0);
  }, 0);
  return ticks / ticksPerSecond;
}
