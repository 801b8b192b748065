export declare function machineProblem(platform?: string, glibc?: string): string | undefined;
export declare function arePackagesCurrent(folder?: string, options?: { development?: boolean }): boolean;
export declare function ensurePackages(options?: { development?: boolean }): Promise<void>;
export declare function explainNpm(output: string): string;
