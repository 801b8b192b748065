/**
 * Owns what a chunk of rows needs of the tensors that a matrix is stored in: a strip of each, read into one buffer. Refuses to know
 * formats (stored.ts) and devices.
 */
import type { RawLayout, RawStrip } from '../../kernels/repack.ts';
import type { StorageWithKernels } from '../../kernels/weights.ts';
import type { Checkpoint, TensorHeader } from './types.ts';

/** Lines of bytes, one a row, a group of rows or a group of columns. */
export interface Strip {
  /** How many lines `count` rows from `row` on need, and bytes of one. */
  extent(row: number, count: number): { readonly lines: number; readonly size: number };
  /** Fills `into` with them, one after the other. */
  read(row: number, count: number, into: Uint8Array): void;
}

/** A matrix as its checkpoint stores it. */
export interface StoredMatrix {
  /** As errors call it. */
  readonly name: string;
  readonly storage: StorageWithKernels;
  readonly rows: number;
  readonly columns: number;
  /** Chunks begin at multiples of it. */
  readonly rowStep: number;
  readonly strips: Readonly<Partial<Record<'scales' | 'zeros' | 'order', Strip>>> & { readonly codes: Strip };
  /** What repacking is told beside the places of the strips. */
  readonly layout: Omit<RawLayout, 'codes' | 'scales' | 'zeros' | 'order' | 'tensorRow'>;
  /** Row of the tensors with which it begins; 0 where not given. */
  readonly firstRow?: number;
  /** Which column of the file comes at each place; undefined: each at its own. */
  readonly order?: Uint32Array<ArrayBuffer>;
}

/** A line for each `groupRows` rows, whole. */
export function rowLines(checkpoint: Checkpoint, { offset }: TensorHeader, size: number, groupRows = 1): Strip {
  const lines = (row: number, count: number): number => Math.ceil((row + count) / groupRows) - Math.floor(row / groupRows);
  return {
    extent: (row, count) => ({ lines: lines(row, count), size }),
    read: (row, count, into) => checkpoint.read(offset + Math.floor(row / groupRows) * size, into.subarray(0, lines(row, count) * size)),
  };
}

/** `lines` lines of `size` bytes in which each row has `bits`: of all of them what the rows have. Rows begin at whole bytes. */
export function columnLines(checkpoint: Checkpoint, { offset }: TensorHeader, lines: number, size: number, bits: number): Strip {
  const part = (row: number, count: number): [number, number] => [
    (row * bits) / 8,
    Math.min(size, Math.ceil(((row + count) * bits) / 32) * 4) - (row * bits) / 8,
  ];
  return {
    extent: (row, count) => ({ lines, size: part(row, count)[1] }),
    read(row, count, into) {
      const [start, width] = part(row, count);
      // All of every line is one piece of the file.
      if (width === size) return checkpoint.read(offset, into.subarray(0, lines * size));
      for (let line = 0; line < lines; line++) checkpoint.read(offset + line * size + start, into.subarray(line * width, (line + 1) * width));
    },
  };
}

/** A line for each row, where the tensor has `columns` lines of a number for each of `rows` rows; of 2 or 4 bytes. */
export function transposedLines(checkpoint: Checkpoint, { offset }: TensorHeader, columns: number, rows: number, size: 2 | 4): Strip {
  const numbers = ({ buffer, byteOffset, length }: Uint8Array): Uint16Array | Uint32Array =>
    size === 2 ? new Uint16Array(buffer, byteOffset, length / 2) : new Uint32Array(buffer, byteOffset, length / 4);
  return {
    extent: (_row, count) => ({ lines: count, size: columns * size }),
    read(row, count, into) {
      const bytes = new Uint8Array(count * size);
      const [line, target] = [numbers(bytes), numbers(into.subarray(0, count * columns * size))];
      for (let column = 0; column < columns; column++) {
        checkpoint.read(offset + (column * rows + row) * size, bytes);
        for (let i = 0; i < count; i++) target[i * columns + column] = line[i] ?? 0;
      }
    },
  };
}

/** One line: of elements of `size` bytes, one for each run of `runLength` elements of the matrix in the order of its rows. `read` has [first, first + count). */
export function runLine(columns: number, runLength: number, size: number, read: (first: number, count: number, into: Uint8Array) => void): Strip {
  const range = (row: number, count: number): [number, number] => {
    const first = Math.floor((row * columns) / runLength);
    return [first, Math.ceil(((row + count) * columns) / runLength) - first];
  };
  return {
    extent: (row, count) => ({ lines: 1, size: range(row, count)[1] * size }),
    read: (row, count, into) => read(...range(row, count), into),
  };
}

/** One line, the same for all rows. */
export function wholeLine(bytes: Uint8Array): Strip {
  return { extent: () => ({ lines: 1, size: bytes.length }), read: (_row, _count, into) => into.set(bytes) };
}

/** A matrix of one tensor with zeros behind its rows and below them; `size`: bytes of a row with its zeros. */
export function padMatrix(stored: StoredMatrix, rows: number, columns: number, size: number): StoredMatrix {
  const { codes } = stored.strips;
  const padded: Strip = {
    extent: (_, count) => ({ lines: count, size }),
    read(row, count, into) {
      const { size: own } = codes.extent(row, 1);
      into.fill(0);
      for (let i = 0; i < Math.min(count, stored.rows - row); i++) codes.read(row + i, 1, into.subarray(i * size, i * size + own));
    },
  };
  return { ...stored, rows, columns, strips: { codes: padded } };
}

/** Rows [first, first + rows) of it; first is a multiple of its rowStep. */
export function sliceRows(stored: StoredMatrix, first: number, rows: number): StoredMatrix {
  const slice = ({ extent, read }: Strip): Strip => ({
    extent: (row, count) => extent(first + row, count),
    read: (row, count, into) => read(first + row, count, into),
  });
  const { codes, scales, zeros, order } = stored.strips;
  const strips = {
    codes: slice(codes),
    ...(scales && { scales: slice(scales) }),
    ...(zeros && { zeros: slice(zeros) }),
    ...(order && { order: slice(order) }),
  };
  return { ...stored, rows, strips, firstRow: first };
}

/** Bytes that a chunk of `count` rows from `row` on takes: whole words, and one behind them that unaligned reads may touch. */
export function rawSizeOf({ strips }: StoredMatrix, row: number, count: number): number {
  return Object.values(strips).reduce((sum, strip) => sum + alignedSize(strip, row, count), 4);
}

function alignedSize(strip: Strip, row: number, count: number): number {
  const { lines, size } = strip.extent(row, count);
  return Math.ceil((lines * size) / 4) * 4;
}

/** Reads the chunk to `start` of `bytes`, a multiple of 4, and says where everything lies in them. */
export function readChunk(stored: StoredMatrix, row: number, count: number, bytes: Uint8Array, start = 0): RawLayout {
  let at = start;
  const take = (strip: Strip): RawStrip => {
    const { lines, size } = strip.extent(row, count);
    strip.read(row, count, bytes.subarray(at, at + lines * size));
    const place = { offset: at, rowSize: size };
    at += alignedSize(strip, row, count);
    return place;
  };
  const { codes, scales, zeros, order } = stored.strips;
  return {
    ...stored.layout,
    tensorRow: (stored.firstRow ?? 0) + row,
    codes: take(codes),
    ...(scales && { scales: take(scales) }),
    ...(zeros && { zeros: take(zeros) }),
    ...(order && { order: take(order) }),
  };
}
