/** Owns Microsoft Presidio as a peer: a Python that has it finds spans in the same texts. Its absence is told, never an error. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Span } from '../../server/privacy/deid/types.ts';

export interface Peer {
  readonly name: string;
  /** Spans of each text, in order. */
  detectAll(texts: readonly string[]): readonly (readonly Span[])[];
}

/** Presidio in the Python at a path, with a spaCy model; or why it is not there. */
export function findPresidio(python: string | undefined, model: string): Peer | string {
  if (python === undefined) return 'Presidio: not asked for (--presidio PYTHON, a Python with presidio-analyzer and a spaCy model)';
  const probe = spawnSync(python, ['-c', `import presidio_analyzer, ${model}; print(getattr(presidio_analyzer, '__version__', ''))`], { encoding: 'utf8' });
  if (probe.status !== 0) return `Presidio: ${python} has no presidio-analyzer or no model ${model}; install both there`;
  return { name: `Presidio with ${model}`, detectAll: (texts) => runPresidio(python, model, texts) };
}

function runPresidio(python: string, model: string, texts: readonly string[]): readonly (readonly Span[])[] {
  const input = texts.map((text) => JSON.stringify({ text })).join('\n');
  const script = fileURLToPath(new URL('presidio.py', import.meta.url));
  const { status, stdout } = spawnSync(python, [script, model], {
    input: `${input}\n`,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines = stdout.split('\n').filter((line) => line !== '');
  if (status !== 0 || lines.length !== texts.length)
    throw new Error(`Presidio was to answer ${texts.length} texts and answered ${lines.length}: run bench/deid/presidio.py by hand to see why.`);
  return lines.map((line) => JSON.parse(line) as Span[]);
}
