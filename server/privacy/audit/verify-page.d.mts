import type * as verifier from './verify.mjs';

/** What the page takes from outside. The document is the browser's: it has the elements of verify.html.ts. */
export interface PageWorld extends Pick<typeof verifier, 'describeReport' | 'parseKey' | 'verifyLog' | 'verifyProof'> {
  readonly document: unknown;
}

export declare function startPage(world: PageWorld): void;
