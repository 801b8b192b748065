/** Owns a manifest as a site could have it. */
import type { Manifest } from '../../../../server/privacy/deployment/manifest.ts';

export function createManifest(): Manifest {
  return {
    id: 'mf-4f7q2k9d',
    site: 'north-hospital',
    region: 'us-east',
    host: '1a'.repeat(32),
    devices: [
      { address: '0000:c1:00.0', vendor: '10de', model: '2330', serial: 'GPU-9f8a2c1d-3e4b-5a6c-7d8e-9f0a1b2c3d4e' },
      { address: '0000:03:00.0', vendor: '1002', model: '74a1', serial: 'a1b2c3d4e5f60718' },
      { address: 'software', vendor: '0000', model: 'lavapipe' },
    ],
    software: '2b'.repeat(32),
    weights: [
      { name: 'small.gguf', sha256: '3c'.repeat(32) },
      { name: 'large/config.json', sha256: '4d'.repeat(32) },
      { name: 'large/model-00001-of-00002.safetensors', sha256: '5e'.repeat(32) },
      { name: 'large/model-00002-of-00002.safetensors', sha256: '6f'.repeat(32) },
    ],
    agreement: 'agr-8w2n5c1x',
    outbound: ['siem.example.org:6514'],
    issued: '2026-11-24T00:00:00Z',
  };
}
