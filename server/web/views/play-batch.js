// A batch as JSON: all of it at one instant, with a result for each operation.

import { html, useState } from "../lib.js";
import { shown } from "../format.js";
import { itemOf } from "../api.js";
import { Button, Card, Field, Problem, Table, useTask } from "../ui.js";

const sample = `[
  {"op": "put", "key": "user/1", "value": "{\\"name\\": \\"Ada\\", \\"age\\": 36}"},
  {"op": "put", "key": "code/1", "value": "4711", "ttl": "30s"},
  {"op": "get", "key": "user/1"},
  {"op": "delete", "key": "user/0"},
  {"op": "get", "key": "user/0"}
]`;

// parse returns the operations, or says what is wrong and in which line.
function parse(text) {
  try {
    const value = JSON.parse(text);
    const ops = Array.isArray(value) ? value : value.ops;
    if (!Array.isArray(ops)) return { wrong: "this must be a list of operations" };
    return { ops };
  } catch (e) {
    const at = Number(e.message.match(/position (\d+)/)?.[1]);
    const line = at >= 0 ? `line ${text.slice(0, at).split("\n").length}: ` : "";
    return { wrong: line + e.message };
  }
}

export function Batch({ store }) {
  const [text, setText] = useState(sample);
  const [run, task] = useTask();
  const { ops, wrong } = parse(text);
  const apply = () => run(async () => {
    const answer = await store.api.batch(ops);
    return answer.results.map((r, i) => ({ ...r, asked: ops[i] }));
  });
  const columns = [
    { title: "#", number: true, cell: (_, i) => i + 1 },
    { title: "Operation", cell: (r) => r.asked.op },
    { title: "Key", class: "mono", cell: (r) => shown(itemOf(r.asked).key, 40) },
    { title: "Result", cell: (r) => html`<${Outcome} result=${r} />` },
  ];
  return html`<div class="grid two">
    <${Card} title="Operations">
      <p class="soft">put, get, delete and merge, in order and at one instant: all of it becomes visible together, or none. A get sees what stands above it.</p>
      <${Field} label="Batch as JSON" error=${wrong}>${(id) => html`<textarea id=${id} class="mono" rows="12" spellcheck=${false} name="batch" value=${text} onInput=${(e) => setText(e.target.value)}></textarea>`}<//>
      <div class="row">
        <${Button} kind="main" data-do="batch" busy=${task.busy} disabled=${!!wrong} onClick=${apply}>Apply the batch<//>
        <${Button} disabled=${!!wrong} onClick=${() => setText("[\n  " + ops.map((o) => JSON.stringify(o)).join(",\n  ") + "\n]")}>One line each<//>
        <${Button} onClick=${() => setText(sample)}>Sample<//>
      </div>
    <//>
    <${Card} title="Results" data-batch=${task.result ? "done" : task.error ? "failed" : ""}>
      <${Problem} error=${task.error} />
      ${task.error && html`<p class="soft">Nothing of the batch was applied.</p>`}
      <${Table} caption="results of the batch" columns=${columns} rows=${task.result ?? []} empty="not applied yet" />
    <//>
  </div>`;
}

function Outcome({ result }) {
  if (result.ok === false) return html`<span class="bad">${result.error?.message ?? "failed"}</span>`;
  if (result.asked.op !== "get") return html`<span class="good">done</span>`;
  const item = itemOf(result);
  if (result.found === false || item.value === null) return html`<span class="soft">not found</span>`;
  return html`<span class="mono">${shown(item.value, 60) || "(empty)"}</span>`;
}
