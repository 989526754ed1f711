// Inside: the engine as it is, while it works. On the classroom's store, which is tiny and may be slowed down, one can also make it work.

import { html, useEffect, useRef, useState } from "../lib.js";
import { BytesField, Button, Card, Choice, Problem, say, useBytes, useTask } from "../ui.js";
import { clock, count, duration, size, utf8 } from "../format.js";
import { keyPath, query } from "../api.js";
import { storeAt } from "../stores.js";
import { Picture, verdict } from "../picture.js";

// compact leaves out what a lesson has its own buttons for; reading is the key that its reader begins with, if it has one. Without a lesson that is
// a key of the store.
export function Inside({ store, info, compact = false, reading: first = "" }) {
  const engine = useEngine(store);
  const reading = useReading(store);
  const classroom = store.base !== "";
  return html`<div class="stack" data-inside>
    ${!compact && !classroom && info?.classroom && html`<p class="note">This is the store that is served. Choose <b>Classroom</b> at the top for one of tiny sizes, which you can fill, slow down and break.</p>`}
    ${!compact && html`<${Controls} store=${store} classroom=${classroom} />`}
    <${Card} title="The engine">
      <${Picture} layout=${engine.layout} changes=${engine.changes} trace=${reading.trace} shown=${reading.shown} />
      <${Problem} error=${engine.error} />
    <//>
    <div class=${compact ? "stack" : "grid two"}>
      ${(first || !compact) && html`<${ReadWay} store=${store} first=${first} reading=${reading} />`}
      <${Activity} events=${engine.events} />
    </div>
  </div>`;
}

// useEngine follows a store: {layout, changes, events, error}.
export function useEngine(store) {
  const [layout, setLayout] = useState(null);
  const [changes, setChanges] = useState([]);
  const [events, setEvents] = useState([]);
  const [error, setError] = useState(null);
  useEffect(() => {
    let news = [], timer = 0;
    const note = (group) => { // shown a few times a second, so that they can be read while thousands come
      news = [...news, ...group].slice(-12);
      timer ||= setTimeout(() => {
        const more = news;
        news = [];
        timer = 0;
        setChanges((all) => [...all, ...more].slice(-12));
      }, 300);
    };
    const stops = [
      store.socket.subscribe("layout", { every_ms: 200 }, setLayout, setError),
      store.socket.subscribe("events", {}, (e) => setEvents((all) => (e.event === "sync" || e.event === "table_deleted" || all.some((o) => o.n === e.n && o.at === e.at) ? all : [...all, e].slice(-60)))),
      store.socket.subscribe("watch", {}, note, () => {}), // one that falls behind shows no more changes
    ];
    return () => {
      clearTimeout(timer);
      stops.forEach((stop) => stop());
    };
  }, [store]);
  return { layout, changes, events, error };
}

// useReading traces the way of a read, step by step: {trace, shown, read(bytes), error, busy}.
export function useReading(store) {
  const [state, set] = useState({ trace: null, shown: 0 });
  const [run, { busy, error }] = useTask();
  useEffect(() => {
    if (!state.trace || state.shown >= state.trace.places.length) return;
    const pause = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 600;
    const timer = setTimeout(() => set((s) => ({ ...s, shown: s.shown + 1 })), pause);
    return () => clearTimeout(timer);
  }, [state]);
  const read = (bytes) => run(async () => {
    const [name, encoding] = keyPath(bytes);
    set({ trace: await store.api.json("GET", `/v1/explain/${name}${query(encoding)}`), shown: 0 });
  });
  return { ...state, read, busy, error };
}

// Controls make the engine work.
function Controls({ store, classroom }) {
  const [run, { busy, error }] = useTask();
  const [slow, setSlow] = useState(0);
  const next = useRef(0);
  const motion = (ms) => run(async () => {
    await store.api.send("PUT", "/v1/motion" + query({ slow_ms: ms || undefined }));
    setSlow(ms);
  });
  const write = (n) => run(async () => {
    await writeFruits(store, n, next.current);
    next.current += n;
  });
  const plug = () => run(async () => {
    const p = await storeAt("").api.json("POST", "/v1/classroom/plug", {});
    say(`Process ${p.killed_pid} was killed; ${p.pid} found ${count(p.recovered_records)} records in its log and serves after ${p.down_ms} ms.`);
  });
  return html`<${Card} class="controls">
    <div class="row">
      ${classroom && html`
        <${Button} kind="main" busy=${busy} onClick=${() => write(20)} data-write>Write 20 keys<//>
        <${Button} busy=${busy} onClick=${() => write(200)} data-write-many>Write 200<//>
        <${Button} busy=${busy} onClick=${() => run(() => store.api.deleteRange({ prefix: "fruit/0" }))}>Delete a tenth<//>`}
      <${Button} busy=${busy} onClick=${() => run(() => store.api.json("POST", "/v1/flush", {}))} data-flush>Flush<//>
      <${Button} busy=${busy} onClick=${() => run(() => store.api.lines("POST", "/v1/compact", { body: "{}", headers: { "Content-Type": "application/json" } }))} data-compact>Compact all<//>
      ${classroom && html`<${Button} kind="danger" busy=${busy} onClick=${plug} data-plug>Pull the plug<//>
        <span class="row spread"><span class="hint">Slow motion</span>
        <${Choice} label="slow motion" options=${[[0, "off"], [500, "½ s"], [1500, "1½ s"]]} value=${slow} onChange=${motion} /></span>`}
    </div>
    <${Problem} error=${error} />
  <//>`;
}

const fruits = ["apple", "fig", "grape", "kiwi", "lemon", "lime", "mango", "olive", "peach", "pear", "plum", "quince"];

// writeFruits writes n keys, from the given one on, which lie all over the place as keys do.
export async function writeFruits(store, n, from = 0) {
  const ops = Array.from({ length: n }, (_, i) => {
    const at = from + i;
    const place = String((at * 7919) % 10000).padStart(4, "0");
    const fruit = fruits[at % fruits.length];
    return { op: "put", key: `fruit/${place}`, value: JSON.stringify({ fruit, at, ripe: at % 3 === 0, note: `${fruit} number ${at}, `.repeat(12) }) };
  });
  if (n > 50) return store.api.batch(ops);
  for (const op of ops) await store.api.put(utf8(op.key), utf8(op.value));
}

// ReadWay asks for a key and tells how it is found.
function ReadWay({ store, first, reading }) {
  const key = useBytes(first);
  const { trace, shown } = reading;
  useEffect(() => {
    if (first) return;
    store.api.range({ limit: 1, keys_only: true }).then(({ items }) => {
      if (items.length > 0) key.setBytes(items[0].key);
    }, () => {});
  }, [store]);
  return html`<${Card} title="The way of a read">
    <form class="row" onSubmit=${(e) => { e.preventDefault(); if (!key.error) reading.read(key.bytes); }} data-read-form>
      <div class="grow"><${BytesField} label="Key" state=${key} name="read-key" /></div>
      <${Button} kind="main" type="submit" busy=${reading.busy} disabled=${!!key.error}>Read<//>
    </form>
    <${Problem} error=${reading.error} />
    ${trace && html`<ol class="way" aria-live="polite" data-way>${trace.places.slice(0, shown).map((p, i) => html`<li key=${i} class=${"v-" + verdict(p)}><b>${placeName(p)}</b> ${placeText(p)}</li>`)}</ol>
    ${shown >= trace.places.length && html`<p data-verdict><b>${trace.found ? "Found" : "Absent"}</b>${trace.found ? `: ${trace.kind} #${count(trace.entry_seq)}, a value of ${size(trace.value_bytes)}` : trace.kind ? `: deleted by ${trace.kind} #${count(trace.entry_seq)}` : ": no entry"}${trace.touched_bytes ? `; about ${size(trace.touched_bytes)} of tables were touched` : ""}.</p>`}`}
    ${!trace && html`<p class="hint">Memtables are asked first, then level 0 from the newest table to the oldest, then one table of each level below. A filter that says no spares the read of a block.</p>`}
  <//>`;
}

const placeName = (p) => (p.kind === "table" ? `L${p.level} table ${p.table}` : p.kind === "level" ? `L${p.level}` : p.kind === "sealed" ? "Sealed memtable" : "Memtable");

function placeText(p) {
  if (p.kind === "level") return "no table covers the key";
  if (p.kind !== "table") return p.hit ? "has it" : "does not have it";
  if (!p.covers) return "the key is out of its bounds";
  const filter = p.filter === "no" ? "filter: no, not read" : p.filter === "maybe" ? "filter: maybe" : "no filter";
  const block = p.block_bytes ? `, a block of ${size(p.block_bytes)}${p.cached ? " from the cache" : p.compressed ? ", decompressed" : ""}` : "";
  return filter + block + (p.hit ? ": there it is" : p.false_positive ? ": not there, a false positive" : "");
}

// Activity lists what the engine did, newest first.
function Activity({ events }) {
  return html`<${Card} title="What it did"><ol class="activity" role="log" aria-label="events of the engine" tabindex="0">
    ${events.slice().reverse().map((e) => html`<li key=${e.n + ":" + e.at} class=${e.event}><time class="soft">${clock(e.at)}</time> ${eventText(e)}</li>`)}
    ${events.length === 0 && html`<li class="soft">Nothing yet.</li>`}
  </ol><//>`;
}

export function eventText({ event, info, error }) {
  if (error) return `${event.replace("_", " ")}: ${error}`;
  const took = info.duration_ns ? ` in ${duration(info.duration_ns)}` : "";
  switch (event) {
    case "opened": return `opened with ${count(info.tables)} tables${info.records ? ` and ${count(info.records)} records from the log` : ""}${took}`;
    case "flush_begin": return `flush of ${size(info.memtable_bytes)} begins`;
    case "flush_end": return `flush made ${count(info.tables)} ${info.tables === 1 ? "table" : "tables"} of ${size(info.bytes)}${took}`;
    case "compaction_begin": return `${info.kind} of ${count(info.inputs)} ${info.inputs === 1 ? "table" : "tables"}, L${info.from_level} to L${info.to_level}, begins`;
    case "compaction_end": return info.kind === "merge"
      ? `merge made ${info.outputs} ${info.outputs === 1 ? "table" : "tables"} of ${size(info.output_bytes)} from ${size(info.input_bytes)}; ${count(info.entries_in - info.entries_out)} entries dropped${took}`
      : `${info.kind} done${took}`;
    case "table_created": return `table ${info.number} in L${info.level}, ${size(info.bytes)}`;
    case "table_deleted": return `table ${info.number} removed`;
    case "stall_begin": return `writers stop: ${info.reason}`;
    case "stall_end": return `writers go on${took}`;
    case "corruption": return "damage was met";
    default: return event.replace("_", " ");
  }
}
