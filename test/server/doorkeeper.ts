/**
 * Owns a gate that lets everybody in, for tests of what lies behind it. It stands here because the server has none.
 */
import type { Doorkeeper } from '../../server/access.ts';
import type { ModelSource, Models } from '../../server/openai/plan.ts';
import type { Admission, Grant } from '../../server/privacy/gate.ts';
import type { Term } from '../../server/privacy/term.ts';
import { begin, createAgreement, day } from './privacy/agreed-site.ts';

const person = { id: 'tester', roles: [], credential: { type: 'certificate', fingerprint: '' }, createdAt: 0, createdBy: 'tester' } as const;

const granted: Grant = {
  tenant: 0,
  agreementId: 'agr-00000000',
  purpose: 'evaluation',
  priority: 'interactive',
  shape: 'plain',
  deid: 'off',
  isBreakGlass: false,
  checkModel: () => undefined,
  begin: async () => undefined,
  settle: () => undefined,
  readAllowance: () => undefined,
};

/** As in an evaluation. */
const synthetic = { agreement: { ...createAgreement(), kind: 'synthetic' }, stored: {}, begin: 0, end: begin + day } as unknown as Term;

/** `changes`: what the holder's key says. */
function openDoorTo(changes: Partial<Grant>): Doorkeeper {
  const grant = { ...granted, ...changes };
  return {
    admit: async (): Promise<Admission> => ({ holder: { type: 'person', person }, signal: new AbortController().signal, granted: grant, end: () => undefined }),
    view: undefined,
    agreement: synthetic,
    counts: { refusals: new Map(), breakGlassUses: 0 },
    audit: { fault: undefined, checkpoint: { size: 7, note: '' } },
  };
}

export const openDoor: Doorkeeper = openDoorTo({});

/** What an app needs besides its settings. */
export function openTo(models: Models, changes: Partial<Grant> = {}): { readonly models: ModelSource; readonly gate: Doorkeeper } {
  return { models: { current: models }, gate: openDoorTo(changes) };
}
