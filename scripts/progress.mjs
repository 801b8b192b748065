/**
 * Owns how set-up shows that it goes on: a bar on a terminal, plain lines elsewhere.
 * Plain JavaScript, because the first part of set-up runs on whatever Node is there. Writes to stderr only.
 */
const width = 30;

/** Starts to report on one job; `update` takes a fraction from 0 to 1, `end` a note for the last line. */
export function startProgress(label, stream = process.stderr) {
  const started = Date.now();
  let quarter = 0;
  if (!stream.isTTY) stream.write(`${label} ...\n`);
  const line = (fraction) => {
    const filled = Math.round(fraction * width);
    return `\r${label} [${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${Math.round(fraction * 100)} %`;
  };
  return {
    update(fraction) {
      const bounded = Math.min(1, Math.max(0, fraction));
      if (stream.isTTY) stream.write(line(bounded));
      else if (Math.floor(bounded * 4) > quarter && bounded < 1) {
        quarter = Math.floor(bounded * 4);
        stream.write(`  ${quarter * 25} %\n`);
      }
    },
    end(note) {
      const seconds = Math.round((Date.now() - started) / 1000);
      stream.write(`${stream.isTTY ? '\r\u001b[2K' : ''}${label}: ${note} (${seconds} s)\n`);
    },
  };
}
