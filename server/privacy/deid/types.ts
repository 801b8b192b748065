/** Owns the words that the finder of identifiers and what acts on its finds have in common. */

/** A category of 45 CFR 164.514(b)(2)(i), or `OTHER_ID` for any other unique code. */
export type Category =
  | 'NAME'
  | 'GEO'
  | 'DATE'
  | 'PHONE'
  | 'FAX'
  | 'EMAIL'
  | 'SSN'
  | 'MRN'
  | 'HEALTH_PLAN'
  | 'ACCOUNT'
  | 'LICENSE'
  | 'VEHICLE'
  | 'DEVICE'
  | 'URL'
  | 'IP'
  | 'BIOMETRIC'
  | 'PHOTO'
  | 'OTHER_ID';

/** A place in a text: UTF-16 offsets, end exclusive. Spans of a list are sorted and never overlap, and never split a surrogate pair. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly type: Category;
}

/** Finds identifiers; tags of an earlier run are none. Linear in the length of the text; keeps nothing of it. */
export interface Detector {
  /** Spans in order; none overlaps another. */
  detect(text: string): readonly Span[];
}
