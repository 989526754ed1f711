// Play: the operations on single keys, and tabs for batches, transactions and the terminal.

import { html, useEffect, useRef, useState } from "../lib.js";
import { clock, nanos, shown } from "../format.js";
import { BucketChoice, Ring } from "../parts.js";
import { BytesField, Button, Card, Field, Problem, Tabs, Value, useBytes, useNow, useTask } from "../ui.js";
import { Batch } from "./play-batch.js";
import { Transactions } from "./play-transactions.js";
import { Terminal } from "./play-terminal.js";

export function Play({ store, path }) {
  const tabs = [
    ["keys", "Keys", () => html`<${Keys} store=${store} />`],
    ["batch", "Batch", () => html`<${Batch} store=${store} />`],
    ["transactions", "Transactions", () => html`<${Transactions} store=${store} />`],
    ["terminal", "Terminal", () => html`<${Terminal} store=${store} />`],
  ];
  const now = tabs.some(([t]) => t === path) ? path : "keys";
  return html`<${Tabs} label="what to play with" tabs=${tabs} value=${now} onChange=${(t) => { location.hash = "#/play/" + t; }} />`;
}

function Keys({ store }) {
  const key = useBytes("greeting"), value = useBytes("hello");
  const [ttl, setTTL] = useState("");
  const [bucket, setBucket] = useState("");
  const [more, setMore] = useState({ absent: false, sync: false });
  const [run, task] = useTask();
  const [log, setLog] = useState([]);

  const wrong = ttl !== "" && !(nanos(ttl) > 0) ? "such as 30s, 5m or 1h30m" : "";
  const able = !key.error && !task.busy;
  const act = (name, action) => run(async () => {
    const began = performance.now();
    const note = (outcome) => setLog((l) => [{ name, key: key.bytes, outcome, at: Date.now(), took: performance.now() - began, hex: key.hex }, ...l].slice(0, 10));
    try {
      const result = await action();
      note(result.outcome);
      return { name, at: Date.now(), ...result };
    } catch (e) {
      note(e.code === "not_found" ? "not found" : e.message);
      throw e;
    }
  });
  const get = (name = "get") => act(name, async () => {
    const item = await store.api.get(key.bytes, { bucket });
    return { item, outcome: `version ${item.seq}` };
  });
  const put = () => act("put", async () => {
    const seconds = ttl === "" ? undefined : nanos(ttl) / 1e9 + "s";
    const seq = await store.api.put(key.bytes, value.bytes, { bucket, ttl: seconds, ...more });
    const item = ttl === "" ? { key: key.bytes, value: value.bytes, seq, expiresAt: null } : await store.api.get(key.bytes, { bucket });
    return { item, outcome: `version ${item.seq}` };
  });
  const remove = () => act("delete", async () => {
    await store.api.delete(key.bytes, { bucket });
    return { gone: key.bytes, outcome: "deleted" };
  });

  return html`<div class="grid two">
    <${Card} title="One key">
      <form class="stack" onSubmit=${(e) => { e.preventDefault(); if (able && !value.error && !wrong) put(); }}>
        <${BytesField} label="Key" state=${key} name="key" />
        <${BytesField} label="Value" state=${value} rows=${4} name="value" />
        <div class="fields">
          <${Field} label="Time to live" hint="30s, 5m; empty: for ever" name="ttl" value=${ttl} error=${wrong} onInput=${(e) => setTTL(e.target.value)} />
          <${BucketChoice} store=${store} value=${bucket} onChange=${setBucket} />
        </div>
        <div class="row">
          <label class="check"><input type="checkbox" checked=${more.absent} onChange=${(e) => setMore({ ...more, absent: e.target.checked })} />only if absent</label>
          <label class="check"><input type="checkbox" name="sync" checked=${more.sync} onChange=${(e) => setMore({ ...more, sync: e.target.checked })} />synced to the disk</label>
        </div>
        <div class="row">
          <${Button} kind="main" type="submit" data-do="put" disabled=${!able || !!value.error || !!wrong}>Put<//>
          <${Button} data-do="get" disabled=${!able} onClick=${() => get()}>Get<//>
          <${Button} kind="danger" data-do="delete" disabled=${!able} onClick=${remove}>Delete<//>
        </div>
      </form>
    <//>
    <div class="stack">
      <${Result} task=${task} again=${() => get("get")} />
      ${log.length > 0 && html`<${Card} title="What was done"><ol class="log" data-log>${log.map((l) => html`<li key=${l.at + l.name}>
        <span class="soft">${clock(l.at)}</span> <b>${l.name}</b> <span class="mono cut">${shown(l.key, 40)}</span> <span class="soft">${l.outcome} · ${l.took.toFixed(1)} ms</span></li>`)}</ol><//>`}
    </div>
  </div>`;
}

// Result is what came of the last operation. When the value's time is over it is read again, so that its absence is seen, not assumed.
function Result({ task, again }) {
  const item = task.result?.item;
  const until = item?.expiresAt?.getTime() ?? 0;
  const now = useNow(250, until > 0);
  const asked = useRef(0);
  const over = until > 0 && now > until + 50 && asked.current !== until && !task.busy && !task.error;
  useEffect(() => {
    if (!over) return;
    asked.current = until;
    again();
  }, [over]);

  if (task.error) {
    return html`<${Card} title="Result" data-result=${task.error.code}>
      ${task.error.code === "not_found" ? html`<p class="note">There is no such key. Whether it never was, was deleted or has expired, a read cannot tell.</p>` : html`<${Problem} error=${task.error} />`}
    <//>`;
  }
  if (task.result?.gone) return html`<${Card} title="Result" data-result="deleted"><p>Deleted: <code>${shown(task.result.gone)}</code>. What is stored is a tombstone, until a compaction drops both.</p><//>`;
  if (!item) return html`<${Card} title="Result"><p class="soft">Put something, and see here what the store says of it.</p><//>`;
  return html`<${Card} title="Result" data-result=${task.result.name}
    more=${until > 0 && html`<${Ring} until=${until} total=${until - task.result.at} now=${now} />`}>
    <dl class="facts">
      <div><dt>Key</dt><dd class="mono">${shown(item.key) || html`<span class="soft">(empty)</span>`}</dd></div>
      <div><dt>Version</dt><dd data-version=${item.seq}>${item.seq}</dd></div>
      <div><dt>Expires</dt><dd>${until ? clock(until) : "never"}</dd></div>
    </dl>
    <${Value} bytes=${item.value} />
  <//>`;
}
