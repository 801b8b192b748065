/**
 * Owns GPT-2's alphabet: every byte as one printable character. Printable bytes stand for themselves, the others for the characters
 * from U+0100 on, in order. Source: openai/gpt-2 src/encoder.py.
 */
const encoder = new TextEncoder();

const characters: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isPrintable ? byte : next++);
  });
})();

const bytes: ReadonlyMap<string, number> = new Map(characters.map((character, byte) => [character, byte]));

/** The UTF-8 bytes of a text in the alphabet. */
export function toByteAlphabet(text: string): string {
  let spelled = '';
  for (const byte of encoder.encode(text)) spelled += characters[byte];
  return spelled;
}

/** The bytes that a token in the alphabet stands for; a character outside the alphabet stands for itself. */
export function fromByteAlphabet(token: string): Uint8Array {
  const found: number[] = [];
  for (const character of token) {
    const byte = bytes.get(character);
    if (byte === undefined) found.push(...encoder.encode(character));
    else found.push(byte);
  }
  return Uint8Array.from(found);
}
