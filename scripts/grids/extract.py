"""Prints kernels/repack/grids.ts: the grids of IQ1, IQ2 and IQ3 from the Python package gguf 0.19.0 (MIT).

python3 -m pip install --target FOLDER gguf==0.19.0 && PYTHONPATH=FOLDER python3 scripts/grids/extract.py > kernels/repack/grids.ts
"""

import base64

import numpy as np
from gguf import quants

NAMES = ["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S"]

print("/**")
print(" * The grids of IQ1, IQ2 and IQ3: which values stand in a group of 8 or 4 columns. Data of the Python package gguf 0.19.0 (MIT),")
print(" * written by scripts/grids/extract.py. An entry is 16 bits: eight places of 2 bits in a list of up to 4 values, or four of 4 bits")
print(" * in one of 8, the first place lowest. IQ1_M has the grid of IQ1_S.")
print(" */")
print("export interface Grid {")
print("  readonly values: readonly number[];")
print("  /** Little-endian u16 each, as base64. */")
print("  readonly entries: string;")
print("}")
print()
print("export const grids: Readonly<Record<'IQ2_XXS' | 'IQ2_XS' | 'IQ2_S' | 'IQ3_XXS' | 'IQ3_S' | 'IQ1_S', Grid>> = {")
for name in NAMES:
    kind = getattr(quants, name)
    kind.init_grid()
    values = [int(value) for value in kind.grid_map]
    rows = kind.grid.reshape(kind.grid_shape)
    bits = 16 // rows.shape[1]
    places = np.searchsorted(np.array(values), rows)
    entries = (places.astype(np.uint32) << (bits * np.arange(rows.shape[1], dtype=np.uint32))).sum(axis=1).astype("<u2")
    print(f"  {name}: {{")
    print(f"    values: {values},")
    print(f"    entries:\n      '{base64.b64encode(entries.tobytes()).decode()}',")
    print("  },")
print("};")
