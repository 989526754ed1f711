// Export: all items of one instant as a file, which the browser writes to the disk as it comes.

import { html, useState } from "../lib.js";
import { size } from "../format.js";
import { query } from "../api.js";
import { allBuckets, BucketChoice } from "../parts.js";
import { BytesField, Field, useBytes } from "../ui.js";
import { plain, save } from "../download.js";
import { JobView, useJob } from "./ops-job.js";

export function Export({ store }) {
  const [format, setFormat] = useState("csv");
  const [bucket, setBucket] = useState("");
  const prefix = useBytes("");
  const [job, start, cancel] = useJob();
  const name = "tinykv." + format;
  const all = bucket === allBuckets;
  const path = "/v1/export" + query({ format, bucket: all ? "" : bucket, all_buckets: all, prefix: prefix.bytes ?? undefined });
  const begin = () => start(async (signal, progress) => ({ bytes: await save(store.api, path, name, signal, (n) => progress({ phase: `received ${size(n)}` })) }));
  return html`<p class="soft">All keys, or those with a prefix, as one file of one instant.</p>
    <div class="fields">
      <${Field} label="Format">${(id) => html`<select id=${id} value=${format} onChange=${(e) => setFormat(e.target.value)}>
        <option value="csv">CSV</option><option value="jsonl">JSONL</option><option value="json">JSON</option></select>`}<//>
      <${BucketChoice} store=${store} value=${bucket} onChange=${setBucket} all=${format === "csv" ? "" : "(everything, buckets too)"} />
      <${BytesField} label="Prefix" state=${prefix} />
    </div>
    ${plain() && !prefix.error
      ? html`<div class="row"><a class="button main" data-do="export" href=${store.base + path} download=${name}>Export</a>
        <span class="hint">Your browser writes it to the disk as it comes, shows how far it is, and can end it.</span></div>`
      : html`<${JobView} name="export" label="Export" job=${job} start=${begin} cancel=${cancel} able=${!prefix.error}>
        ${job.state === "done" && html`<p class="note" data-report>${size(job.report.bytes)} were saved as ${name}.</p>`}<//>`}`;
}
