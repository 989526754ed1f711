// Ops: what takes long, with progress and a way to end it.

import { html, useEffect, useState } from "../lib.js";
import { count, size } from "../format.js";
import { useReturn } from "../parts.js";
import { Button, Card, Dialog, Field, Problem, say, Stat, useTask } from "../ui.js";
import { Job } from "./ops-job.js";
import { Import } from "./ops-import.js";
import { Export } from "./ops-export.js";

export function Ops({ store, info }) {
  const [stats, setStats] = useState(null);
  const look = () => store.api.stats().then(setStats, () => {});
  useEffect(() => { look(); }, [store]);
  useReturn(store, look);
  return html`<div class="stack">
    <${Card} title="The store" more=${html`<${Button} class="button small" onClick=${look}>Look again<//>`}>${stats ? html`<${Summary} stats=${stats} info=${info} />` : html`<p class="soft">asking…</p>`}<//>
    <div class="grid two">
      <div class="stack">
        <${Card} title="Verify"><p class="soft">Reads every byte of every file, checks all checksums and that what was counted is what is written down. Changes nothing; others go on.</p>
          <${Job} store=${store} name="verify" label="Verify" path="/v1/verify" /><//>
        <${Card} title="Import"><${Import} store=${store} onDone=${look} /><//>
      </div>
      <div class="stack">
        <${Card} title="Compact"><p class="soft">Merges all tables down to the last level, so that nothing deleted, expired or overwritten is left. It happens by itself where it pays; this is for when you want it now.</p>
          <${Job} store=${store} name="compact" label="Compact" path="/v1/compact" onDone=${look} /><//>
        <${Card} title="Export"><${Export} store=${store} /><//>
        <${Card} title="Memory to disk"><p class="soft">Flush writes the memtable to a table. Sync brings what was acknowledged to stable storage. Resume makes a store that failed take writes again, once the cause is mended.</p>
          <${Calls} store=${store} onDone=${look} /><//>
        <${Card} title="Clear"><p class="soft">Deletes every key, in buckets too.</p><${Clear} store=${store} onDone=${look} /><//>
      </div>
    </div>
  </div>`;
}

function Summary({ stats, info }) {
  const tables = stats.levels.reduce((n, l) => n + (l.tables ?? 0), 0);
  return html`<div class="stack">
  ${stats.failed && html`<p class="problem" role="alert" data-failed><strong>failed</strong> The store takes no writes, since one could not be brought to the disk; it can be read. Mend the cause, such as a full disk, then press Resume below.</p>`}
  <div class="stats">
    <${Stat} label="Keys, about" value=${count(stats.keys)} />
    <${Stat} label="Tables" value=${count(tables)} note=${size(stats.table_bytes)} />
    <${Stat} label="Memtables" value=${size(stats.memtable_bytes)} />
    <${Stat} label="Log" value=${size(stats.log_bytes)} />
    <${Stat} label="Space amplification" value=${stats.space_amplification ? stats.space_amplification.toFixed(2) : "–"} />
    <${Stat} label="Not yet synced" value=${count(stats.last_seq - stats.durable_seq)} note="writes" />
  </div>
  ${info?.version && html`<p class="hint">${info.version}</p>`}
  </div>`;
}

function Calls({ store, onDone }) {
  const [run, task] = useTask();
  const call = (path, done) => run(async () => {
    await store.api.json("POST", path, {});
    say(done, "good");
    onDone();
  });
  return html`<div class="stack"><${Problem} error=${task.error} /><div class="row">
    <${Button} data-do="flush" busy=${task.busy} onClick=${() => call("/v1/flush", "flushed")}>Flush<//>
    <${Button} data-do="sync" busy=${task.busy} onClick=${() => call("/v1/sync", "synced")}>Sync<//>
    <${Button} data-do="resume" busy=${task.busy} onClick=${() => call("/v1/resume", "the store takes writes")}>Resume<//>
  </div></div>`;
}

function Clear({ store, onDone }) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState("");
  const [run, task] = useTask();
  const close = () => { setOpen(false); setText(""); };
  const clear = () => run(async () => {
    await store.api.json("POST", "/v1/clear", { confirm: "clear", buckets: true });
    close();
    say("everything was deleted", "good");
    onDone();
  });
  return html`<${Button} kind="danger" data-do="clear" onClick=${() => setOpen(true)}>Delete everything…<//>
    ${open && html`<${Dialog} title="Delete everything" onClose=${close}>
      <form class="stack" onSubmit=${(e) => { e.preventDefault(); if (text === "clear") clear(); }}>
        <p>Every key of this store will be gone, in buckets too. There is no way back but a backup.</p>
        <${Problem} error=${task.error} />
        <${Field} label="Type clear" name="confirm" value=${text} onInput=${(e) => setText(e.target.value)} />
        <div class="row"><${Button} kind="danger" type="submit" data-do="confirm" busy=${task.busy} disabled=${text !== "clear"}>Delete everything<//><${Button} onClick=${close}>Keep it<//></div>
      </form><//>`}`;
}
