// One key in a dialog: its value in all forms; editing it, unless somebody else has meanwhile; and a new key.

import { html, useState } from "../lib.js";
import { clock, hexOf, nanos, shown, size } from "../format.js";
import { plain, save } from "../download.js";
import { BytesField, Button, Dialog, Field, Problem, Value, useBytes, useTask } from "../ui.js";

const mostEdited = 1 << 20; // bytes that a text area can still bear

export function ItemDialog({ store, bucket, item: first, onClose, onChanged }) {
  const [item, setItem] = useState(first);
  const [editing, setEditing] = useState(false);
  const [run, task, setTask] = useTask();
  const fresh = () => run(async () => {
    const { items } = await store.api.range({ lower: item.key, limit: 1, bucket });
    if (items.length === 0 || hexOf(items[0].key) !== hexOf(item.key)) throw { code: "not_found", message: "the key is gone" };
    setItem(items[0]);
    setEditing(false);
  });
  const remove = () => run(async () => {
    await store.api.delete(item.key, { bucket, seq: item.seq });
    onChanged("deleted " + shown(item.key, 40));
  });
  const stale = task.error?.status === 412;
  const large = (item.value?.length ?? item.bytes) > mostEdited;
  return html`<${Dialog} title=${shown(item.key, 60) || "(empty key)"} onClose=${onClose}>
    <p class="soft">version <b data-version=${item.seq}>${item.seq}</b> · ${item.expiresAt ? "expires " + item.expiresAt.toLocaleDateString("en-CA") + " " + clock(item.expiresAt) : "never expires"}</p>
    <${Problem} error=${task.error} />
    ${stale && html`<p class="soft">Somebody has written to this key since you opened it, so nothing was changed. Look at the present version, then decide.</p>
      <${Button} data-do="fresh" onClick=${fresh}>Show the present version<//>`}
    ${editing
      ? html`<${Edit} store=${store} bucket=${bucket} item=${item} run=${run} busy=${task.busy} onCancel=${() => { setEditing(false); setTask({ busy: false, error: null, result: null }); }} onChanged=${onChanged} />`
      : html`${item.value ? html`<${Value} bytes=${item.value} key=${item.seq} />` : html`<p>Its value has <b data-bytes=${item.bytes}>${size(item.bytes)}</b>, more than is shown here.</p>`}
        ${large && html`<${Large} store=${store} bucket=${bucket} item=${item} run=${run} busy=${task.busy} onChanged=${onChanged} />`}
        <div class="row spread">${large ? html`<span></span>` : html`<${Button} data-do="edit" onClick=${() => setEditing(true)}>Edit<//>`}<${Button} kind="danger" busy=${task.busy} onClick=${remove}>Delete<//></div>`}
  <//>`;
}

// Large is what can be done with a value that no text area bears: it goes out to a file, and comes from one.
function Large({ store, bucket, item, run, busy, onChanged }) {
  const path = store.api.path("", item.key, { bucket });
  const replace = (file) => file && run(async () => {
    const seq = await store.api.put(item.key, file, { bucket, seq: item.seq, expiresAt: item.expiresAt });
    onChanged(`saved as version ${seq}`);
  });
  return html`<p class="hint">What is larger than ${size(mostEdited)} is edited as a file: save it, change it, and choose it below. It is taken only if version ${item.seq} is still the present one.</p>
    <div class="row">${plain()
      ? html`<a class="button" data-do="save-file" href=${store.base + path} download="value.bin">Save as a file</a>`
      : html`<${Button} data-do="save-file" busy=${busy} onClick=${() => run(() => save(store.api, path, "value.bin", undefined, () => {}))}>Save as a file<//>`}</div>
    <${Field} label="Replace it by a file">${(id) => html`<input id=${id} type="file" name="replace" disabled=${busy} onChange=${(e) => replace(e.target.files[0])} />`}<//>`;
}

function Edit({ store, bucket, item, run, busy, onCancel, onChanged }) {
  const value = useBytesOf(item.value, true);
  const save = () => run(async () => {
    const seq = await store.api.put(item.key, value.bytes, { bucket, seq: item.seq, expiresAt: item.expiresAt });
    onChanged(`saved as version ${seq}`);
  });
  return html`<form class="stack" onSubmit=${(e) => { e.preventDefault(); if (!value.error) save(); }}>
    <${BytesField} label="Value" rows=${8} state=${value} name="edit" />
    <p class="hint">It is saved only if version ${item.seq} is still the present one.</p>
    <div class="row"><${Button} kind="main" type="submit" data-do="save" busy=${busy} disabled=${!!value.error}>Save<//><${Button} onClick=${onCancel}>Cancel<//></div>
  </form>`;
}

// useBytesOf is useBytes that begins with bytes, for a field of one line or of several.
function useBytesOf(bytes, lines = false) {
  const state = useBytes(null);
  if (state.text === null) state.setBytes(bytes, lines);
  return state.text === null ? { ...state, text: "", bytes, error: "" } : state;
}

export function NewDialog({ store, bucket, prefix, onClose, onChanged }) {
  const key = useBytesOf(prefix), value = useBytes("");
  const [ttl, setTTL] = useState("");
  const [run, task] = useTask();
  const wrong = ttl !== "" && !(nanos(ttl) > 0) ? "such as 30s, 5m or 1h30m" : "";
  const able = !key.error && !value.error && !wrong;
  const save = () => run(async () => {
    const seq = await store.api.put(key.bytes, value.bytes, { bucket, absent: true, ttl: ttl === "" ? undefined : nanos(ttl) / 1e9 + "s" });
    onChanged(`saved as version ${seq}`);
  });
  return html`<${Dialog} title="New key" onClose=${onClose}>
    <form class="stack" onSubmit=${(e) => { e.preventDefault(); if (able) save(); }}>
      <${BytesField} label="Key" state=${key} name="new-key" />
      <${BytesField} label="Value" rows=${5} state=${value} name="new-value" />
      <${Field} label="Time to live" hint="30s, 5m; empty: for ever" value=${ttl} error=${wrong} onInput=${(e) => setTTL(e.target.value)} />
      <${Problem} error=${task.error?.status === 412 ? { code: "there already", message: "This key exists. Close this, and open it in the list to edit it." } : task.error} />
      <div class="row"><${Button} kind="main" type="submit" data-do="save" busy=${task.busy} disabled=${!able}>Save<//><${Button} onClick=${onClose}>Cancel<//></div>
    </form>
  <//>`;
}
