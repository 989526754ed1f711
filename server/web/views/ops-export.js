// Export: the browser gets the stream, shows how far it is, and saves it as a file. It holds it until then: what is larger than
// a browser holds is for the command line.

import { html, useState } from "../lib.js";
import { size } from "../format.js";
import { query } from "../api.js";
import { BucketChoice } from "../parts.js";
import { BytesField, Field, useBytes } from "../ui.js";
import { JobView, useJob } from "./ops-job.js";

export function Export({ store }) {
  const [format, setFormat] = useState("csv");
  const [bucket, setBucket] = useState("");
  const prefix = useBytes("");
  const [job, start, cancel] = useJob();
  const begin = () => start(async (signal, progress) => {
    const response = await store.api.send("GET", "/v1/export" + query({ format, bucket, prefix: prefix.bytes }), { signal });
    const reader = response.body.getReader();
    const parts = [];
    let got = 0;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      parts.push(value);
      got += value.length;
      progress({ phase: `received ${size(got)}` });
    }
    return { url: URL.createObjectURL(new Blob(parts)), name: "tinykv." + format, bytes: got };
  });
  return html`<p class="soft">All keys, or those with a prefix, as one file of one instant. For more than a few hundred megabytes there is <code>tinykv export</code>.</p>
    <div class="fields">
      <${Field} label="Format">${(id) => html`<select id=${id} value=${format} onChange=${(e) => setFormat(e.target.value)}>
        <option value="csv">CSV</option><option value="jsonl">JSONL</option><option value="json">JSON</option></select>`}<//>
      <${BucketChoice} store=${store} value=${bucket} onChange=${setBucket} />
      <${BytesField} label="Prefix" state=${prefix} />
    </div>
    <${JobView} name="export" label="Export" job=${job} start=${begin} cancel=${cancel} able=${!prefix.error}>
      ${job.state === "done" && html`<p class="note" data-report>${size(job.report.bytes)} are here. <a href=${job.report.url} download=${job.report.name}>Save ${job.report.name}</a></p>`}<//>`;
}
