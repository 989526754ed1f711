// The plug: writes without end, a real kill, and the count of what is still there.
//
// For tests, #plug has the data attributes state (idle, writing, down, checking, done, failed), acknowledged, found, lost and pulls.

import { html, useEffect, useRef, useState } from "../lib.js";
import { count, textOf, utf8 } from "../format.js";
import { storeAt } from "../stores.js";
import { Button, Problem, Progress, Table } from "../ui.js";

const lanes = 4; // writes under way at once
const most = 50_000; // keys, then it rests
const nameOf = (run, n) => `plug/${run}/${String(n).padStart(6, "0")}`;
const valueOf = (n) => `value ${n}`;
const pause = (ms) => new Promise((go) => setTimeout(go, ms));

// Writer writes keys 1, 2, 3, ... and knows which of them were acknowledged. A write without an answer is tried again by a later lane: it may
// have been done, and doing it twice makes no difference.
class Writer {
  constructor(api, changed) {
    this.api = api;
    this.changed = changed;
    this.run = Date.now().toString(36);
    this.next = 1;
    this.again = [];
    this.acknowledged = new Set();
    this.on = false;
  }

  start() {
    if (this.on) return;
    this.on = true;
    this.stopped = Promise.all(Array.from({ length: lanes }, () => this.#lane()));
  }

  async stop() {
    this.on = false;
    await this.stopped;
  }

  async #lane() {
    while (this.on && this.acknowledged.size < most) {
      const n = this.again.pop() ?? this.next++;
      try {
        await this.api.put(utf8(nameOf(this.run, n)), utf8(valueOf(n)));
        this.acknowledged.add(n);
        this.changed(this.acknowledged.size);
      } catch {
        this.again.push(n);
        await pause(40);
      }
    }
  }
}

// readBack counts which of the keys that were acknowledged are there with their values.
async function readBack(api, writer, acknowledged, progress) {
  let found = 0, cursor = "";
  do {
    const page = await api.range({ prefix: utf8(`plug/${writer.run}/`), limit: 5000, cursor });
    for (const { key, value } of page.items) {
      const n = Number(textOf(key).split("/")[2]);
      if (acknowledged.has(n) && textOf(value) === valueOf(n)) found++;
    }
    progress(found);
    cursor = page.next ?? "";
  } while (cursor);
  return found;
}

export function Plug({ store, ready }) {
  const main = storeAt("").api;
  const [state, set] = useState({ state: "idle", written: 0, acknowledged: 0, found: 0, lost: 0, pulls: [], error: null });
  const writer = useRef(null);
  if (!writer.current && ready) writer.current = new Writer(store.api, (written) => set((s) => ({ ...s, written })));
  useEffect(() => () => { writer.current?.stop(); }, []);
  const become = (more) => set((s) => ({ ...s, ...more }));

  const write = () => {
    writer.current.start();
    become({ state: "writing", error: null });
  };
  const pull = async () => {
    const w = writer.current;
    w.start();
    try {
      // What was acknowledged when the plug is pulled, and what still is until the process is dead: all of it counts.
      become({ state: "down", error: null });
      const fell = await main.json("POST", "/v1/classroom/plug", {});
      await w.stop();
      await isUp(main);
      const acknowledged = new Set(w.acknowledged);
      become({ state: "checking", acknowledged: acknowledged.size, found: 0 });
      const found = await readBack(store.api, w, acknowledged, (n) => become({ found: n }));
      const lost = acknowledged.size - found;
      set((s) => ({ ...s, state: "done", found, lost, pulls: [{ ...fell, acknowledged: acknowledged.size, found, lost }, ...s.pulls] }));
    } catch (error) {
      await w.stop();
      become({ state: "failed", error });
    }
  };

  const busy = state.state === "down" || state.state === "checking";
  const columns = [
    { title: "Killed", cell: (p) => html`process ${p.killed_pid}` },
    { title: "Down", number: true, cell: (p) => `${count(Math.round(p.down_ms))} ms` },
    { title: "Acknowledged", number: true, cell: (p) => count(p.acknowledged) },
    { title: "Found", number: true, cell: (p) => count(p.found) },
    { title: "Lost", number: true, cell: (p) => html`<b class=${p.lost ? "bad" : "good"}>${count(p.lost)}</b>` },
  ];
  return html`<div id="plug" class="stack" data-state=${state.state} data-acknowledged=${state.acknowledged} data-found=${state.found} data-lost=${state.lost} data-pulls=${state.pulls.length} data-written=${state.written}>
    <div class="row">
      <${Button} id="plug-write" kind="main" disabled=${!ready || busy || state.state === "writing"} onClick=${write}>Write without end<//>
      <${Button} id="plug-pull" kind="danger" disabled=${!ready || busy} busy=${busy} onClick=${pull}>Pull the plug<//>
    </div>
    <p role="status" class=${state.state === "done" ? (state.lost ? "problem verdict" : "note verdict") : "verdict soft"}>${told(state)}</p>
    ${state.state === "checking" && html`<${Progress} label="reading back" done=${state.found} total=${state.acknowledged} />`}
    <${Problem} error=${state.error} />
    ${state.pulls.length > 0 && html`<${Table} stacks=${true} caption="each time the plug was pulled" columns=${columns} rows=${state.pulls} />`}
  </div>`;
}

function told(s) {
  switch (s.state) {
    case "idle": return "Nothing was written yet.";
    case "writing": return `Writing: ${count(s.written)} acknowledged so far.`;
    case "down": return `The plug is pulled. ${count(s.written)} were acknowledged; the store is coming back.`;
    case "checking": return "It is back. Reading everything that was acknowledged.";
    case "done": return `acknowledged ${count(s.acknowledged)}, found ${count(s.found)}, lost ${count(s.lost)}`;
    default: return "That went wrong; it says nothing of the store.";
  }
}

// isUp waits until the classroom runs.
async function isUp(api) {
  for (let i = 0; i < 200; i++) {
    const { state } = await api.json("GET", "/v1/classroom");
    if (state === "running") return;
    await pause(50);
  }
  throw { code: "timeout", message: "the classroom does not come back; look at the server's output" };
}
