/** Owns the static table of families that can be opened as folders; no kernels come with it. */
import type { FolderForm } from './folder.ts';
import { llamaFolder } from './llama-folder.ts';

/** By `model_type` of config.json. */
export const folderForms: ReadonlyMap<string, FolderForm> = new Map<string, FolderForm>([[llamaFolder.modelType, llamaFolder]]);
