// Deleting many: those that were chosen, or all with the prefix; first one sees which and how many.

import { html, useEffect, useState } from "../lib.js";
import { count, shown } from "../format.js";
import { opOf } from "../api.js";
import { Button, Dialog, Problem, useTask } from "../ui.js";

const shownAtMost = 12;

export function DeleteDialog({ store, bucket, prefix, keys, onClose, onChanged }) {
  const [preview, setPreview] = useState(keys.length ? { keys, n: keys.length } : null);
  const [run, task] = useTask();
  useEffect(() => {
    if (keys.length || prefix.length === 0) return;
    run(async () => {
      const params = { prefix, bucket };
      const [n, page] = await Promise.all([store.api.count(params), store.api.range({ ...params, limit: shownAtMost, keys_only: true })]);
      setPreview({ keys: page.items.map((i) => i.key), n });
    });
  }, []);
  const remove = () => run(async () => {
    if (keys.length) await store.api.batch(keys.map((key) => opOf("delete", key)), bucket);
    else await store.api.deleteRange({ prefix, bucket });
    onChanged(`deleted ${count(preview.n)} keys`);
  });
  if (!keys.length && prefix.length === 0) {
    return html`<${Dialog} title="Delete many keys" onClose=${onClose}>
      <p>Choose keys in the list, or search for a prefix: then this deletes all keys that begin with it. To delete everything there is Clear, under Ops.</p>
      <${Button} onClick=${onClose}>Close<//><//>`;
  }
  return html`<${Dialog} title=${keys.length ? "Delete the chosen keys" : `Delete all keys with the prefix ${shown(prefix, 30)}`} onClose=${onClose}>
    <${Problem} error=${task.error} />
    ${preview === null ? html`<p class="soft">counting…</p>` : html`
      <p><b data-preview=${preview.n}>${count(preview.n)}</b> ${preview.n === 1 ? "key" : "keys"}${keys.length ? ", in one batch" : ", with one range tombstone. Filters other than the prefix do not count here"}.</p>
      <ul class="log tall mono" tabindex="0" aria-label="keys to be deleted">${preview.keys.slice(0, shownAtMost).map((k, i) => html`<li key=${i}>${shown(k, 70) || "(empty)"}</li>`)}
        ${preview.n > shownAtMost && html`<li class="soft">… and ${count(preview.n - Math.min(shownAtMost, preview.keys.length))} more</li>`}</ul>
      <div class="row"><${Button} kind="danger" data-do="confirm" busy=${task.busy} disabled=${preview.n === 0} onClick=${remove}>Delete ${count(preview.n)} ${preview.n === 1 ? "key" : "keys"}<//>
        <${Button} onClick=${onClose}>Keep them<//></div>`}
  <//>`;
}
