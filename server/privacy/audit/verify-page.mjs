/**
 * Owns what the verifier's page does: takes a folder or a proof that is chosen or dropped, hands it to the verifier, shows the
 * report. Plain JavaScript that server/privacy/audit/verify.html.ts puts behind verify.mjs, whose functions it calls. Sends nothing.
 */

/** `world`: the document, and the verifier. */
export function startPage({ document, describeReport, parseKey, verifyLog, verifyProof }) {
  const element = (id) => document.getElementById(id);
  const [key, progress, result] = ['key', 'progress', 'result'].map(element);
  let isBusy = false;

  const show = (title, kind, lines) => {
    const section = document.createElement('section');
    const heading = document.createElement('h2');
    const text = document.createElement('pre');
    section.className = kind;
    heading.textContent = title;
    // As text, never as HTML: the lines hold what stands in files.
    text.textContent = lines.join('\n');
    section.append(heading, text);
    result.append(section);
  };

  const readOptions = async () => {
    const keys = key.value.trim() === '' ? [] : [key.value.trim()];
    if (keys.some((text) => parseKey(text) === undefined)) throw new Error('The key is none: expected the text that was noted, <name>+<hash>+<base64>.');
    const witness = element('witness').files[0];
    return { keys, checkpoints: witness === undefined ? [] : [await witness.text()] };
  };

  const onProgress = (done, total) => {
    progress.max = Math.max(1, total);
    progress.value = done;
  };

  const check = async (files) => {
    const options = { ...(await readOptions()), onProgress };
    const logs = groupLogs(files);
    for (const [folder, source] of logs) {
      const report = await verifyLog(source, { ...options, isOneOfSeveral: logs.size > 1 });
      showReport(`Log ${folder}`, report);
    }
    if (logs.size > 0) return;
    if (files.length !== 1) throw new Error('There is neither a log nor a proof: expected a folder with 00000001.log or 00000001.stub, or one proof file.');
    showReport(`Proof ${files[0].name}`, await verifyProof(await files[0].file.text(), options));
  };

  const showReport = (title, report) =>
    show(`${title}: ${report.flawCount === 0 ? 'intact' : 'DAMAGED'}`, report.flawCount === 0 ? 'good' : 'bad', describeReport(report));

  const run = async (collect) => {
    if (isBusy) return;
    isBusy = true;
    result.replaceChildren();
    progress.hidden = false;
    try {
      await check(await collect());
    } catch (error) {
      show('Not checked', 'bad', [error.message]);
    }
    progress.hidden = true;
    isBusy = false;
  };

  for (const id of ['folder', 'proof']) element(id).addEventListener('change', ({ target }) => run(() => [...target.files].map(named)));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    // Taken at once: the list is empty after the event.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
    run(async () => (await Promise.all(entries.map((entry) => listEntry(entry, '')))).flat());
  });
}

const named = (file) => ({ name: file.name, folder: (file.webkitRelativePath ?? '').split('/').slice(0, -1).join('/'), file });

/** All files below a dropped entry. */
async function listEntry(entry, folder) {
  if (entry.isFile) return [{ name: entry.name, folder, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
  const reader = entry.createReader();
  const found = [];
  // A reader gives a part at a time, and nothing at the end.
  for (let part; (part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length > 0; ) found.push(...part);
  const below = folder === '' ? entry.name : `${folder}/${entry.name}`;
  return (await Promise.all(found.map((one) => listEntry(one, below)))).flat();
}

/** Folder -> source of the verifier, for each folder that has segments. Private keys are not even opened. */
function groupLogs(files) {
  const logs = new Map();
  const folders = new Set(files.filter(({ name }) => /^\d{8}\.(log|stub)$/.test(name)).map(({ folder }) => folder));
  for (const folder of [...folders].sort()) {
    const inside = new Map(files.filter((file) => file.folder === folder).map(({ name, file }) => [name, file]));
    logs.set(folder, {
      names: [...inside.keys()],
      read: async (name) => new Uint8Array(await inside.get(name).arrayBuffer()),
      size: async (name) => inside.get(name).size,
      part: async (name, start, end) => new Uint8Array(await inside.get(name).slice(start, end).arrayBuffer()),
    });
  }
  return logs;
}
