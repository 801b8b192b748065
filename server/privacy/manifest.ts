/**
 * Owns what a deployment manifest says: where a server stands, on which host and devices, with which software and weights,
 * under which agreement. Refuses fields that it does not know.
 */

/** A device as the operating system names it. */
export interface DeviceIdentity {
  /** `0000:3b:00.0`, or the name of a software device. */
  readonly address: string;
  /** `10de` */
  readonly vendor: string;
  readonly model: string;
  /** UUID or serial where the driver gives one. */
  readonly serial?: string | undefined;
}

export interface WeightFile {
  readonly name: string;
  readonly sha256: string;
}

export interface Manifest {
  readonly id: string;
  readonly site: string;
  readonly region: string;
  /** SHA-256 over the machine's id, so that the id itself is not told. */
  readonly host: string;
  readonly devices: readonly DeviceIdentity[];
  /** SHA-256 over the program's files. */
  readonly software: string;
  readonly weights: readonly WeightFile[];
  readonly agreement: string;
  /** `host:port` that the server may connect to; empty: none. */
  readonly outbound: readonly string[];
  /** UTC, to the second. */
  readonly issued: string;
}
