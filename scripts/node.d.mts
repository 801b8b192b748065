export declare const root: string;
export declare const nodeMajor: number;
export declare function isRecent(): boolean;
export declare function packagedNode(folder?: string): string | undefined;
export declare function continueUnderNode(args: readonly string[]): Promise<never>;
export declare function followParent(): void;
export declare function cacheCompiledCode(): void;
export declare function fail(error: unknown): never;

export function keepHeapSmall(): void;
export function forbidCores(): void;
