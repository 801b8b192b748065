export interface Progress {
  update(fraction: number): void;
  end(note: string): void;
}
export declare function startProgress(label: string, stream?: { readonly isTTY?: boolean; write(text: string): unknown }): Progress;
