// Data: the keys in order, page by page, with filters; one of them in a dialog, to be read and edited.

import { html, useEffect, useState } from "../lib.js";
import { clock, count, shown, size } from "../format.js";
import { BucketChoice, useReturn } from "../parts.js";
import { BytesField, Button, Card, Field, Problem, say, Table, useBytes, useTask } from "../ui.js";
import { ItemDialog, NewDialog } from "./data-item.js";
import { DeleteDialog } from "./data-delete.js";

const noFilters = { keyContains: "", valueContains: "", where: "" };

export function Data({ store }) {
  const prefix = useBytes("");
  const [bucket, setBucket] = useState("");
  const [filters, setFilters] = useState(noFilters);
  const [order, setOrder] = useState({ limit: 50, reverse: false });
  // asked is what the page on the screen was asked with; cursors are where its predecessors and it begin.
  const [asked, setAsked] = useState({ prefix: prefix.bytes, bucket: "", filters: noFilters, cursors: [""] });
  const [chosen, setChosen] = useState(new Set());
  const [dialog, setDialog] = useState(null);
  const [run, task] = useTask();

  const load = (q = asked) => run(() => store.api.range({
    prefix: q.prefix, bucket: q.bucket, limit: order.limit, reverse: order.reverse, cursor: q.cursors[q.cursors.length - 1],
    key_contains: q.filters.keyContains, value_contains: q.filters.valueContains, where: q.filters.where,
  }));
  useEffect(() => {
    setChosen(new Set());
    load();
  }, [asked, order]);
  useReturn(store, () => load());

  const search = () => { if (!prefix.error) setAsked({ prefix: prefix.bytes, bucket, filters, cursors: [""] }); };
  const clear = () => {
    prefix.set({ text: "", hex: false });
    setFilters(noFilters);
    setAsked({ ...asked, prefix: new Uint8Array(), filters: noFilters, cursors: [""] });
  };
  const items = task.result?.items ?? [];
  const next = task.result?.next;
  const page = asked.cursors.length;
  const turn = (cursors) => setAsked({ ...asked, cursors });
  const changed = (text) => {
    setDialog(null);
    say(text, "good");
    load();
  };
  const filter = (name) => ({ value: filters[name], onInput: (e) => setFilters({ ...filters, [name]: e.target.value }) });

  return html`<div class="stack">
    <${Card}>
      <form class="stack" role="search" onSubmit=${(e) => { e.preventDefault(); search(); }}>
        <div class="fields">
          <${BytesField} label="Prefix" state=${prefix} name="prefix" placeholder="user/" />
          <${BucketChoice} store=${store} value=${bucket} onChange=${(b) => { setBucket(b); setAsked({ ...asked, bucket: b, cursors: [""] }); }} />
          <${Field} label="Key contains" name="key_contains" mono=${true} ...${filter("keyContains")} />
          <${Field} label="Value contains" name="value_contains" mono=${true} ...${filter("valueContains")} />
          <${Field} label="JSON field" name="where" mono=${true} placeholder="age >= 18" ...${filter("where")} />
        </div>
        <div class="row">
          <${Button} kind="main" type="submit" data-do="search">Search<//>
          <${Button} onClick=${clear}>Clear<//>
          <label class="check"><input type="checkbox" checked=${order.reverse} onChange=${(e) => { setOrder({ ...order, reverse: e.target.checked }); turn([""]); }} />from the end</label>
          <label class="check">a page of <select name="limit" class="short" value=${order.limit} onChange=${(e) => { setOrder({ ...order, limit: Number(e.target.value) }); turn([""]); }}>
            ${[20, 50, 100, 500].map((n) => html`<option key=${n} value=${n}>${n}</option>`)}</select></label>
        </div>
      </form>
    <//>
    <${Card} title="Keys" data-page=${page} data-state=${task.busy ? "busy" : task.error ? "failed" : "ready"} more=${html`
        <${Button} class="button small" data-do="new" onClick=${() => setDialog({ what: "new" })}>New key<//>
        <${Button} class="button small danger" data-do="delete" onClick=${() => setDialog({ what: "delete" })}>${chosen.size ? `Delete ${chosen.size}…` : "Delete many…"}<//>
        <${Button} class="button small" onClick=${() => load()} busy=${task.busy}>Reload<//>`}>
      <${Problem} error=${task.error} />
      <${Items} items=${items} chosen=${chosen} setChosen=${setChosen} open=${(item) => setDialog({ what: "item", item })} busy=${task.busy} />
      <div class="row spread">
        <span class="soft">${items.length ? `page ${page}, ${count(items.length)} keys` : ""}${task.result?.scanned > items.length ? `, ${count(task.result.scanned)} looked at` : ""}</span>
        <div class="row">
          <${Button} class="button small" data-do="previous" disabled=${page === 1 || task.busy} onClick=${() => turn(asked.cursors.slice(0, -1))}>Previous<//>
          <${Button} class="button small" data-do="next" disabled=${!next || task.busy} onClick=${() => turn([...asked.cursors, next])}>Next<//>
        </div>
      </div>
    <//>
    ${dialog?.what === "item" && html`<${ItemDialog} store=${store} bucket=${asked.bucket} item=${dialog.item} onClose=${() => setDialog(null)} onChanged=${changed} />`}
    ${dialog?.what === "new" && html`<${NewDialog} store=${store} bucket=${asked.bucket} prefix=${asked.prefix} onClose=${() => setDialog(null)} onChanged=${changed} />`}
    ${dialog?.what === "delete" && html`<${DeleteDialog} store=${store} bucket=${asked.bucket} prefix=${asked.prefix} keys=${items.filter((_, i) => chosen.has(i)).map((item) => item.key)}
      onClose=${() => setDialog(null)} onChanged=${changed} />`}
  </div>`;
}

function Items({ items, chosen, setChosen, open, busy }) {
  const choose = (i, on) => {
    const now = new Set(chosen);
    if (on) now.add(i);
    else now.delete(i);
    setChosen(now);
  };
  const all = items.length > 0 && chosen.size === items.length;
  const columns = [
    {
      title: html`<input type="checkbox" aria-label="choose all" checked=${all} onChange=${() => setChosen(all ? new Set() : new Set(items.keys()))} />`,
      cell: (item, i) => html`<input type="checkbox" aria-label=${"choose " + shown(item.key, 60)} checked=${chosen.has(i)} onChange=${(e) => choose(i, e.target.checked)} />`,
    },
    { title: "Key", class: "mono", cell: (item) => html`<button type="button" class="link" onClick=${() => open(item)}>${shown(item.key, 60) || "(empty)"}</button>` },
    { title: "Value", class: "mono cut wide", cell: (item) => (item.value?.length ? shown(item.value, 90) : html`<span class="soft">${item.value ? "(empty)" : "(too large for a list)"}</span>`) },
    { title: "Size", number: true, cell: (item) => size(item.value?.length ?? item.bytes) },
    { title: "Version", number: true, cell: (item) => item.seq },
    { title: "Expires", number: true, cell: (item) => (item.expiresAt ? when(item.expiresAt) : "") },
  ];
  return html`<${Table} caption="keys" columns=${columns} rows=${items} empty=${busy ? "reading…" : "no key matches"} row=${(item) => ({ "data-key": shown(item.key) })} />`;
}

// when is a time of today by the clock, another one with its date.
const when = (date) => (date.toDateString() === new Date().toDateString() ? clock(date) : date.toLocaleDateString("en-CA") + " " + clock(date));
