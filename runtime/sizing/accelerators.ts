/**
 * Owns the table of devices that models are planned for without having one: memory and bandwidth as their makers publish them. Refuses anything
 * measured, and what a driver keeps for itself: a maker's gigabyte is 10^9 bytes, and what drivers show beyond that is the reserve.
 */
import type { Accelerator } from './types.ts';

const giga = 1e9;

/** [name, label, GB of memory, GB/s, who says so, part of the memory that a model may have] */
const rows: readonly (readonly [string, string, number, number, string, number?])[] = [
  ['h100-80g', 'NVIDIA H100 SXM 80 GB', 80, 3350, 'NVIDIA H100 data sheet'],
  ['h100-pcie', 'NVIDIA H100 PCIe 80 GB', 80, 2000, 'NVIDIA H100 PCIe data sheet'],
  ['h100-nvl', 'NVIDIA H100 NVL 94 GB', 94, 3900, 'NVIDIA H100 data sheet'],
  ['h200', 'NVIDIA H200 SXM 141 GB', 141, 4800, 'NVIDIA H200 data sheet'],
  ['b200', 'NVIDIA B200 180 GB', 180, 8000, 'NVIDIA DGX B200 data sheet, an eighth of 1,440 GB and 64 TB/s'],
  ['a100-80g', 'NVIDIA A100 SXM 80 GB', 80, 2039, 'NVIDIA A100 data sheet'],
  ['a100-40g', 'NVIDIA A100 40 GB', 40, 1555, 'NVIDIA A100 data sheet'],
  ['l40s', 'NVIDIA L40S 48 GB', 48, 864, 'NVIDIA L40S data sheet'],
  ['l4', 'NVIDIA L4 24 GB', 24, 300, 'NVIDIA L4 data sheet'],
  ['rtx-pro-6000', 'NVIDIA RTX PRO 6000 Blackwell 96 GB', 96, 1792, 'NVIDIA RTX PRO 6000 Blackwell data sheet'],
  ['rtx-5090', 'NVIDIA GeForce RTX 5090 32 GB', 32, 1792, 'NVIDIA GeForce RTX 5090 specifications'],
  ['rtx-4090', 'NVIDIA GeForce RTX 4090 24 GB', 24, 1008, 'NVIDIA GeForce RTX 4090 specifications'],
  ['mi300x', 'AMD Instinct MI300X 192 GB', 192, 5300, 'AMD Instinct MI300X data sheet'],
  ['mi325x', 'AMD Instinct MI325X 256 GB', 256, 6000, 'AMD Instinct MI325X data sheet'],
  ['mi355x', 'AMD Instinct MI355X 288 GB', 288, 8000, 'AMD Instinct MI355X data sheet'],
  // Memory of the whole machine: the system keeps a quarter from its GPU unless it is told otherwise.
  ['m3-ultra-512g', 'Apple M3 Ultra 512 GB', 512, 819, 'Apple Mac Studio specifications', 0.75],
  ['m4-max-128g', 'Apple M4 Max 128 GB', 128, 546, 'Apple MacBook Pro specifications', 0.75],
];

/** Devices that a model can be planned for without having one. */
export const accelerators: readonly Accelerator[] = rows.map(([name, label, memory, bandwidth, source, share = 1]) => ({
  name,
  label,
  memory: memory * giga * share,
  bandwidth: bandwidth * giga,
  source,
}));
