import { CommanderError } from 'commander';
import { expect, onTestFinished, test, vi } from 'vitest';
import { allWorkloads, comparedWorkload, parseOptions } from '../../bench/options.ts';

test('without arguments: three rounds of 128 and 2048 tokens, a batch of 8, every peer', () => {
  const options = parseOptions([]);
  expect(options).toEqual({
    device: 'auto',
    rounds: 3,
    promptTokens: [128, 2048],
    newTokens: 32,
    batch: 8,
    peers: ['vulkan', 'cpu', 'transformers', 'ort'],
    peerPrompt: 256,
    peerTokens: 16,
    threads: 2,
    installPeers: false,
    cold: false,
    int8: false,
    deterministic: true,
    profile: false,
  });
  expect(allWorkloads(options)).toEqual([
    { sequences: 1, promptTokens: 128, newTokens: 32 },
    { sequences: 1, promptTokens: 2048, newTokens: 32 },
    { sequences: 8, promptTokens: 128, newTokens: 32 },
    { sequences: 1, promptTokens: 256, newTokens: 16 },
  ]);
});

test('every option', () => {
  const line =
    '--model m.gguf --device lavapipe --rounds 5 --prompt-tokens 7,9 --new-tokens 4 --batch 2 --peers cpu --peer-prompt 11 --peer-tokens 3 --threads 6 --install-peers --cold --int8 --no-deterministic --profile --svg docs/img --from saved.txt';
  const options = parseOptions(line.split(' '));
  expect(options).toEqual({
    model: 'm.gguf',
    device: 'lavapipe',
    rounds: 5,
    promptTokens: [7, 9],
    newTokens: 4,
    batch: 2,
    peers: ['cpu'],
    peerPrompt: 11,
    peerTokens: 3,
    threads: 6,
    installPeers: true,
    cold: true,
    int8: true,
    deterministic: false,
    profile: true,
    svg: 'docs/img',
    from: 'saved.txt',
  });
  expect(comparedWorkload(options)).toEqual({ sequences: 1, promptTokens: 11, newTokens: 3 });
  expect(parseOptions(['--peers', 'none']).peers).toEqual([]);
});

test.for([
  '--rounds 0',
  '--rounds 1.5',
  '--new-tokens 1',
  '--peer-tokens 1',
  '--peer-prompt 0',
  '--prompt-tokens 128,',
  '--prompt-tokens 0',
  '--peers vulkan,onnx',
  '--device tpu',
  '--speed',
  'stray',
])('%s is refused with a sentence', (line) => {
  let said = '';
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  onTestFinished(() => write.mockRestore());
  expect(() => parseOptions(line.split(' '))).toThrow(CommanderError);
  expect(said).toMatch(/^error: /);
  expect(said).toContain('--help');
});
