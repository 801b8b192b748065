/** What is wrong, one sentence each in `text`. The list is closed. */
export type FlawCode =
  /** A segment, or `head`, or a log that a witness knows, is not there. */
  | 'missing'
  | 'head'
  | 'magic'
  /** Length, type or check of a frame. */
  | 'frame'
  /** Behind the last checkpoint of the newest segment: not signed yet, left by a crash, or damage. */
  | 'torn'
  /** Zeros behind the end of a segment that is not the newest. */
  | 'tail'
  /** Form of a record. */
  | 'record'
  /** A record in good form that is not the one that was signed; `hashes` shows which. */
  | 'altered'
  | 'seq'
  | 'time'
  | 'order'
  /** End of a segment. */
  | 'rotation'
  /** Form of a checkpoint, or one of another log. */
  | 'checkpoint'
  | 'size'
  | 'root'
  | 'signature'
  /** A key that is not the trusted one, or is not known because the record that names it is damaged. */
  | 'key'
  | 'hashes'
  | 'stub'
  | 'purge'
  /** An intent and its outcome. */
  | 'pair'
  /** Form of what the witness has. */
  | 'witness'
  /** The log ends before `head`. */
  | 'cut'
  /** The log ends before what the witness has seen. */
  | 'rollback'
  /** Another history than that of the witness or of `head`. */
  | 'fork'
  /** A field of a proof. */
  | 'proof';

export interface Flaw {
  readonly code: FlawCode;
  /** Name of the file in the folder, or `witness`; of a proof the field. Empty for what was given beside it. */
  readonly file: string;
  /** In bytes from the beginning of the file. */
  readonly offset?: number;
  /** Of the record that it is about, or behind which it stands. */
  readonly seq?: number;
  readonly text: string;
}

/** One folder of a log. Files are read one at a time. */
export interface LogSource {
  readonly names: readonly string[];
  read(name: string): Promise<Uint8Array>;
  /** The names as they are now, of a log that is being written. */
  list?(): Promise<readonly string[]>;
  /** In bytes. Without these two `hashes` is read as a whole, and more than once. */
  size?(name: string): Promise<number>;
  /** The bytes from `start` up to `end`. */
  part?(name: string, start: number, end: number): Promise<Uint8Array>;
}

export interface VerifyOptions {
  /** First keys of logs that were noted outside, each as `<name>+<hash>+<base64>`. */
  readonly keys?: readonly string[];
  /** Texts of one or more checkpoints each, which others have kept. */
  readonly checkpoints?: readonly string[];
  /** Some of the keys and checkpoints may be those of other logs. */
  readonly isOneOfSeveral?: boolean;
  /** In bytes. */
  onProgress?(done: number, total: number): void;
  /** Each record that can be read, in order. */
  onRecord?(seq: number, text: string): void;
}

export interface Gap {
  readonly seq: number;
  readonly time: unknown;
  readonly cause: unknown;
  readonly bytes: unknown;
  readonly records: unknown;
}

export interface LogReport {
  /** Its id, 32 hexadecimal digits. */
  readonly log: string | undefined;
  /** The first key, as text. */
  readonly key: string | undefined;
  /** How many the last checkpoint covers. */
  readonly records: number;
  /** In base64, of the last checkpoint. */
  readonly root: string | undefined;
  /** The last one, as text. */
  readonly checkpoint: string | undefined;
  readonly checkpoints: number;
  /** How many were checked. */
  readonly signatures: number;
  readonly segments: number;
  readonly purgedSegments: number;
  readonly purgedRecords: number;
  /** Of the first and last record that are there, in ms since 1970 (UTC). */
  readonly firstTime: number | undefined;
  readonly lastTime: number | undefined;
  /** Of the records that are there, by event. */
  readonly counts: Readonly<Record<string, number>>;
  /** Intents without an outcome. */
  readonly open: number;
  readonly gaps: readonly Gap[];
  /** What could not be checked with what was given, one sentence each. */
  readonly unchecked: readonly string[];
  /** At most 1,000, in the order of the files. */
  readonly flaws: readonly Flaw[];
  /** All of them; zero means intact. */
  readonly flawCount: number;
}

export interface ProofReport {
  readonly kind: 'inclusion' | 'consistency' | 'incident' | undefined;
  readonly record: string | undefined;
  readonly index: number | undefined;
  /** Of an incident: how many were proved. */
  readonly records: number | undefined;
  readonly oldSize: number | undefined;
  /** Of the checkpoint that it is proved against, in records. */
  readonly size: number | undefined;
  readonly log: string | undefined;
  readonly key: string | undefined;
  readonly unchecked: readonly string[];
  readonly flaws: readonly Flaw[];
  readonly flawCount: number;
}

export interface Key {
  readonly name: string;
  /** 8 hexadecimal digits. */
  readonly keyHash: string;
  readonly text: string;
}

/** Rejects only for what the source throws, and where Ed25519 signatures cannot be checked at all. */
export declare function verifyLog(source: LogSource, options?: VerifyOptions): Promise<LogReport>;
/** `value`: the text of a proof's JSON, or its value. */
export declare function verifyProof(value: unknown, options?: Pick<VerifyOptions, 'keys'>): Promise<ProofReport>;
/** As lines that people read. */
export declare function describeReport(report: LogReport | ProofReport): string[];
/** Undefined where the text is no key, or its hash is not its own. */
export declare function parseKey(text: string): Key | undefined;
/** SHA-256 of bytes[start, end), without the help of Node, as in a browser. */
export declare function hashHere(bytes: Uint8Array, start?: number, end?: number): Uint8Array;
/** For Node only. */
export declare function openFolder(path: string): Promise<LogSource>;
