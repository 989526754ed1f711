// Import: a file, or text that was pasted, as one streaming request.

import { html, useState } from "../lib.js";
import { count, size } from "../format.js";
import { Failure, query, token } from "../api.js";
import { allBuckets, BucketChoice } from "../parts.js";
import { Field } from "../ui.js";
import { JobView, Report, useJob } from "./ops-job.js";

const types = { csv: "text/csv", json: "application/json", jsonl: "application/x-ndjson" };
const formats = [["csv", "CSV"], ["jsonl", "JSONL"], ["json", "JSON"]];

export function Import({ store, onDone }) {
  const [file, setFile] = useState(null);
  const [text, setText] = useState("");
  const [bucket, setBucket] = useState("");
  const [o, setO] = useState({ format: "csv", conflict: "overwrite", template: "", dry: false });
  const [job, start, cancel] = useJob();
  const set = (name) => (e) => setO({ ...o, [name]: e.target.type === "checkbox" ? e.target.checked : e.target.value });
  const pick = (e) => {
    const chosen = e.target.files[0] ?? null;
    setFile(chosen);
    const ending = chosen?.name.split(".").pop().toLowerCase().replace("ndjson", "jsonl");
    if (types[ending]) setO({ ...o, format: ending });
  };
  const begin = () => start(async (signal, progress) => {
    const name = crypto.getRandomValues(new Uint32Array(2)).join("-");
    const all = bucket === allBuckets;
    const params = { bucket: all ? "" : bucket, all_buckets: all, format: o.format, on_conflict: o.conflict, key: o.template, dry_run: o.dry, job: name };
    let told = {};
    const tell = (more) => progress(told = { ...told, ...more });
    const timer = setInterval(async () => { // the answer comes when all was sent; until then this asks beside it
      const { imports } = await store.api.json("GET", "/v1/imports").catch(() => ({ imports: [] }));
      const mine = imports.find((i) => i.job === name);
      if (mine) tell({ rows: mine.imported });
    }, 500);
    try {
      const report = await upload(store.base + "/v1/import" + query(params), file ?? new Blob([text]), types[o.format], signal, tell);
      onDone();
      return report;
    } finally {
      clearInterval(timer);
    }
  });
  return html`<p class="soft">Rows of key and value, in as many batches as it takes. With a key template, as <code>{city}/{id}</code>, a row of any columns becomes one value.</p>
    <div class="fields">
      <${Field} label="File" class="whole">${(id) => html`<input id=${id} type="file" name="file" accept=".csv,.json,.jsonl,.ndjson" onChange=${pick} />`}<//>
      <${Field} label="Format">${(id) => html`<select id=${id} name="format" value=${o.format} onChange=${set("format")}>${formats.map(([v, t]) => html`<option key=${v} value=${v}>${t}</option>`)}</select>`}<//>
      <${Field} label="A key that exists">${(id) => html`<select id=${id} value=${o.conflict} onChange=${set("conflict")}>
        <option value="overwrite">is overwritten</option><option value="skip">is left as it is</option><option value="fail">ends the import</option></select>`}<//>
      <${BucketChoice} store=${store} value=${bucket} onChange=${setBucket} all=${o.format === "csv" ? "" : "(as the rows say)"} />
      <${Field} label="Key template" mono=${true} value=${o.template} onInput=${set("template")} />
    </div>
    ${!file && html`<${Field} label="Or paste">${(id) => html`<textarea id=${id} name="paste" class="mono" rows="3" spellcheck=${false} placeholder=${"key,value\na,1"} value=${text} onInput=${(e) => setText(e.target.value)}></textarea>`}<//>`}
    <label class="check"><input type="checkbox" checked=${o.dry} onChange=${set("dry")} />dry run: read it all, write nothing</label>
    <${JobView} name="import" label="Import" job=${job} start=${begin} cancel=${cancel} able=${file !== null || text.trim() !== ""}>
      ${job.progress?.rows > 0 && job.state !== "done" && html`<p class="soft" data-rows=${job.progress.rows}>${count(job.progress.rows)} rows ${o.dry ? "are read" : "are in the store"}${job.state === "running" ? "" : ", if not more"}.</p>`}
      ${job.state === "done" && html`<${Report} report=${job.report} title=${o.dry ? "Nothing was written" : "Done"} />`}<//>`;
}

// upload is a POST that tells how much has gone out, which fetch does not.
function upload(address, body, type, signal, progress) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.setRequestHeader("Content-Type", type);
    if (token()) request.setRequestHeader("Authorization", "Bearer " + token());
    request.upload.onprogress = (e) => progress({ phase: `sent ${size(e.loaded)} of ${size(e.total)}`, done: e.loaded, total: e.total });
    request.onload = () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch { /* the status says it */ }
      if (request.status < 300) done(answer);
      else failed(new Failure(request.status, answer.error?.code ?? "internal", answer.error?.message ?? request.statusText));
    };
    request.onerror = () => failed(new Failure(0, "unreachable", "the connection was lost; what was imported so far stays"));
    request.onabort = () => failed(new DOMException("cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}
