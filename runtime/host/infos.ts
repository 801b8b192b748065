/** Owns what the processes of stages say of themselves, taken together. */
import { InwardError } from '../errors.ts';
import type { EngineInfo } from '../types.ts';

/** Of an engine in stages: as the first says, with the sizes of all. Throws model_changed where they have not opened the same file. */
export function joinInfos(infos: readonly [EngineInfo, ...EngineInfo[]], path: string): EngineInfo {
  const [first] = infos;
  if (infos.some(({ fingerprint }) => fingerprint !== first.fingerprint)) throw new InwardError('model_changed', { path });
  const sum = (of: (info: EngineInfo) => number): number => infos.reduce((total, info) => total + of(info), 0);
  return {
    ...first,
    weightBytes: sum(({ weightBytes }) => weightBytes),
    kvBytes: sum(({ kvBytes }) => kvBytes),
    stages: infos.flatMap(({ stages = [] }) => stages),
    loadMs: Math.max(...infos.map(({ loadMs }) => loadMs)),
  };
}
