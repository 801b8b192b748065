/**
 * Owns the verifier as one HTML page: everything is in it, so that it works from a file, and its policy forbids every connection.
 * Refuses a script that could end its own element.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
label { display: block; margin: .75rem 0; }
input[type=text] { width: 100%; box-sizing: border-box; font-family: monospace; }
progress { width: 100%; }
section { margin: 1rem 0; padding: .5rem 1rem; border-left: .5rem solid; }
.good { border-color: #1a7f37; }
.good h2 { color: #1a7f37; }
.bad { border-color: #cf222e; }
.bad h2 { color: #cf222e; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { form, progress { display: none; } section { break-inside: avoid-page; } }
`;

const body = `
<h1>Audit log: offline check</h1>
<p>Choose a log's folder or a proof, or drop it on this page. Nothing leaves this machine: the page can open no connection.</p>
<form>
<label>First key of the log, as it was noted <input type="text" id="key" spellcheck="false" autocomplete="off" placeholder="inward-audit/...+...+..."></label>
<label>Checkpoints of a witness <input type="file" id="witness"></label>
<label>Folder of a log <input type="file" id="folder" webkitdirectory></label>
<label>or a proof <input type="file" id="proof" accept=".json,application/json"></label>
</form>
<progress id="progress" value="0" max="1" hidden></progress>
<div id="result" role="status"></div>
<noscript><p>This page needs JavaScript.</p></noscript>
`;

/** One page that needs nothing else. `script` is the text of verify.mjs. */
export function createVerifierPage(script: string): string {
  const page = readFileSync(new URL('verify-page.mjs', import.meta.url), 'utf8');
  const code = `${script}\n${page}\nstartPage({ document, describeReport, parseKey, verifyLog, verifyProof });\n`;
  if (/<\/script|<!--/i.test(code)) throw new Error('The script of the page would end its element: expected no closing tag in it.');
  const policy = `default-src 'none'; script-src ${hashSource(code)}; style-src ${hashSource(style)}; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<title>Audit log: offline check</title>
<style>${style}</style>
</head>
<body>${body}<script type="module">${code}</script>
</body>
</html>
`;
}

const hashSource = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
