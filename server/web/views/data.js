// Data: the keys in order, page by page, with filters, or as a tree of folders; one of them in a dialog, to be read and edited.

import { html, useEffect, useState } from "../lib.js";
import { clock, count, shown, size, utf8 } from "../format.js";
import { BucketChoice, useReturn } from "../parts.js";
import { BytesField, Button, Card, Field, Problem, say, Table, useBytes, useTask } from "../ui.js";
import { ItemDialog, NewDialog } from "./data-item.js";
import { level, trail } from "./data-tree.js";
import { DeleteDialog } from "./data-delete.js";

const noFilters = { keyContains: "", valueContains: "", where: "" };

export function Data({ store }) {
  const prefix = useBytes("");
  const [bucket, setBucket] = useState("");
  const [filters, setFilters] = useState(noFilters);
  const [order, setOrder] = useState({ limit: 50, reverse: false, folders: false, separator: "/" });
  // asked is what the page on the screen was asked with; cursors are where its predecessors and it begin.
  const [asked, setAsked] = useState({ prefix: prefix.bytes, bucket: "", filters: noFilters, cursors: [""] });
  const [chosen, setChosen] = useState(new Set());
  const [dialog, setDialog] = useState(null);
  const [run, task] = useTask();

  const tree = order.folders && order.separator !== "" ? utf8(order.separator) : null;
  const load = (q = asked) => run(async () => {
    const at = q.cursors[q.cursors.length - 1];
    if (tree) return level(store.api, { prefix: q.prefix, separator: tree, bucket: q.bucket, limit: order.limit, from: at === "" ? undefined : at });
    return store.api.range({
      prefix: q.prefix, bucket: q.bucket, limit: order.limit, reverse: order.reverse, cursor: at,
      key_contains: q.filters.keyContains, value_contains: q.filters.valueContains, where: q.filters.where,
    });
  });
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
  const enter = (folder) => {
    prefix.setBytes(folder);
    setAsked({ ...asked, prefix: folder, cursors: [""] });
  };
  const reorder = (more) => { // the cursors of one order are nothing in another
    setOrder({ ...order, ...more });
    turn([""]);
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
          ${!order.folders && html`
            <${Field} label="Key contains" name="key_contains" mono=${true} ...${filter("keyContains")} />
            <${Field} label="Value contains" name="value_contains" mono=${true} ...${filter("valueContains")} />
            <${Field} label="JSON field" name="where" mono=${true} placeholder="age >= 18" ...${filter("where")} />`}
          ${order.folders && html`<${Field} label="Folders end at" name="separator" mono=${true} value=${order.separator} onInput=${(e) => reorder({ separator: e.target.value })} />`}
        </div>
        <div class="row">
          <${Button} kind="main" type="submit" data-do="search">Search<//>
          <${Button} onClick=${clear}>Clear<//>
          <label class="check"><input type="checkbox" name="folders" checked=${order.folders} onChange=${(e) => reorder({ folders: e.target.checked, reverse: false })} />as folders</label>
          ${!order.folders && html`<label class="check"><input type="checkbox" checked=${order.reverse} onChange=${(e) => reorder({ reverse: e.target.checked })} />from the end</label>`}
          <label class="check">a page of <select name="limit" class="short" value=${order.limit} onChange=${(e) => reorder({ limit: Number(e.target.value) })}>
            ${[20, 50, 100, 500].map((n) => html`<option key=${n} value=${n}>${n}</option>`)}</select></label>
        </div>
      </form>
    <//>
    <${Card} title="Keys" data-page=${page} data-state=${task.busy ? "busy" : task.error ? "failed" : "ready"} more=${html`
        <${Button} class="button small" data-do="new" onClick=${() => setDialog({ what: "new" })}>New key<//>
        <${Button} class="button small danger" data-do="delete" onClick=${() => setDialog({ what: "delete" })}>${chosen.size ? `Delete ${chosen.size}…` : "Delete many…"}<//>
        <${Button} class="button small" onClick=${() => load()} busy=${task.busy}>Reload<//>`}>
      <${Problem} error=${task.error} />
      ${tree && html`<${Trail} all=${trail(asked.prefix, tree)} enter=${enter} />`}
      <${Items} items=${items} chosen=${chosen} setChosen=${setChosen} enter=${enter} from=${tree ? asked.prefix.length : 0} open=${(item) => setDialog({ what: "item", item })} busy=${task.busy} />
      <div class="row spread">
        <span class="soft">${items.length ? `page ${page}, ${contents(items)}` : ""}${task.result?.scanned > items.length ? `, ${count(task.result.scanned)} looked at` : ""}</span>
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

// contents counts what is on a page.
function contents(items) {
  const folders = items.filter((item) => item.folder).length, keys = items.length - folders;
  const some = (n, what) => (n > 0 ? `${count(n)} ${what}${n === 1 ? "" : "s"}` : "");
  return [some(folders, "folder"), some(keys, "key")].filter(Boolean).join(" and ");
}

// Trail is the way to a folder, each part of which can be gone back to.
function Trail({ all, enter }) {
  return html`<nav class="trail mono" aria-label="folders"><ol>${all.map((p, i) => html`<li key=${i}>
    ${i === all.length - 1 ? html`<b aria-current="true">${label(p, all[i - 1])}</b>` : html`<button type="button" class="link" onClick=${() => enter(p)}>${label(p, all[i - 1])}</button>`}</li>`)}</ol></nav>`;
}

const label = (prefix, above) => (above ? shown(prefix.slice(above.length), 40) : "all keys");

// Items lists keys, and folders, which are shown without the first bytes of the prefix that all have.
function Items({ items, chosen, setChosen, open, enter, from, busy }) {
  const choose = (i, on) => {
    const now = new Set(chosen);
    if (on) now.add(i);
    else now.delete(i);
    setChosen(now);
  };
  const keys = [...items.keys()].filter((i) => !items[i].folder);
  const all = keys.length > 0 && chosen.size === keys.length;
  const columns = [
    {
      title: html`<input type="checkbox" aria-label="choose all" checked=${all} onChange=${() => setChosen(all ? new Set() : new Set(keys))} />`,
      cell: (item, i) => !item.folder && html`<input type="checkbox" aria-label=${"choose " + shown(item.key, 60)} checked=${chosen.has(i)} onChange=${(e) => choose(i, e.target.checked)} />`,
    },
    { title: "Key", class: "mono key", cell: (item) => (item.folder
      ? html`<button type="button" class="link folder" onClick=${() => enter(item.key)}><span aria-hidden="true">▸ </span><b>${shown(item.key.slice(from), 60)}</b></button>`
      : html`<button type="button" class="link" onClick=${() => open(item)}>${shown(item.key.slice(from), 60) || "(empty)"}</button>`) },
    { title: "Value", class: "mono cut wide", cell: (item) => (item.folder ? html`<span class="soft">folder</span>` : item.value?.length ? shown(item.value, 90) : html`<span class="soft">${item.value ? "(empty)" : "(too large for a list)"}</span>`) },
    { title: "Size", number: true, cell: (item) => !item.folder && size(item.value?.length ?? item.bytes) },
    { title: "Version", number: true, cell: (item) => !item.folder && item.seq },
    { title: "Expires", number: true, cell: (item) => (item.expiresAt ? when(item.expiresAt) : "") },
  ];
  return html`<${Table} caption="keys" columns=${columns} rows=${items} empty=${busy ? "reading…" : "no key matches"} row=${(item) => ({ "data-key": shown(item.key) })} />`;
}

// when is a time of today by the clock, another one with its date.
const when = (date) => (date.toDateString() === new Date().toDateString() ? clock(date) : date.toLocaleDateString("en-CA") + " " + clock(date));
