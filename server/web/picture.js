// The picture of a running engine: log, memtables and every table of every level, drawn from its layout. Nothing in it is made up: what
// moves are the tables themselves, from where they were to where they are.
//
//	html`<${Picture} layout=${layout} changes=${changes} trace=${trace} />`
//
// layout is what the WebSocket tells, changes the last writes, trace the way of a read, of which `shown` places were looked at.

import { html, useLayoutEffect, useRef, useState } from "./lib.js";
import { bytesOf, count, shown, size } from "./format.js";

const mostTables = 240; // of a level; a picture with more of them shows nothing
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const percent = (part, whole) => (whole > 0 ? Math.min(100, 100 * part / whole) : 0);

const many = (n, what) => count(n) + " " + what + (n === 1 ? "" : "s");

export const keyOf = (table, name) => shown(bytesOf(table, name) ?? new Uint8Array(), 24);

export function Picture({ layout, changes = [], trace, shown: seen = 0, compact }) {
  const box = useRef(null);
  const [picked, pick] = useState(0);
  useMoves(box, layout);
  useDot(box, trace, seen);
  if (!layout) return html`<p class="soft" data-waiting>Waiting for the engine…</p>`;
  const verdicts = verdictsOf(trace, seen);
  const levels = layout.levels.filter((l) => l.tables.length > 0 || l.level === 0 || layout.jobs.some((j) => j.to === l.level && j.kind !== "flush"));
  const largest = Math.max(1, ...levels.map((l) => l.tables.reduce((sum, t) => sum + t.bytes, 0)));
  const table = layout.levels.flatMap((l) => l.tables.map((t) => ({ ...t, level: l.level }))).find((t) => t.number === picked);
  return html`<div class=${"engine" + (compact ? " compact" : "")} ref=${box} data-engine>
    <div class="en-row">
      <${Log} layout=${layout} changes=${changes} />
      <${MemTables} layout=${layout} verdicts=${verdicts} />
    </div>
    <${Fall} text="flush" job=${layout.jobs.find((j) => j.kind === "flush")} />
    ${levels.map((l, i) => html`
      ${i > 0 && html`<${Fall} key=${"fall" + l.level} text="compaction" job=${layout.jobs.find((j) => j.kind !== "flush" && j.to === l.level)} />`}
      <${Level} key=${l.level} level=${l} largest=${largest} verdicts=${verdicts} picked=${picked} onPick=${pick}
        due=${layout.jobs.some((j) => j.to === l.level && j.kind !== "flush")} />`)}
    <${Cache} cache=${layout.cache} used=${(trace?.places ?? []).slice(0, seen).some((p) => p.cached)} />
    <div class="en-dot" aria-hidden="true"></div>
    ${!compact && html`<${Details} table=${table} />`}
  </div>`;
}

// Log is the tape: its segments as long as they are large, filled as far as they are used, full colour as far as they are synced.
function Log({ layout, changes }) {
  const whole = layout.log.reduce((sum, s) => sum + s.size, 0);
  const used = layout.log.reduce((sum, s) => sum + (s.used || 0), 0);
  const unsynced = layout.last_seq - layout.durable_seq;
  return html`<section class="en-box en-log" aria-label="write-ahead log">
    <header><h3>Write-ahead log</h3><span class="hint">${size(used)} in ${many(layout.log.filter((s) => !s.spare).length, "segment")}</span></header>
    <div class="en-tape">${layout.log.map((s, i) => html`
      <div key=${i} class=${"en-segment" + (s.spare ? " spare" : "")} style=${{ flexGrow: Math.max(1, Math.round(100 * s.size / (whole || 1))) }}
        title=${s.spare ? `spare segment, ${size(s.size)}, to be used again` : `segment ${s.number}: ${size(s.used)} of ${size(s.size)}, ${size(s.synced)} synced`}>
        ${!s.spare && html`<div class="en-used" style=${{ left: percent(s.synced, s.size) + "%", width: percent(s.used - s.synced, s.size) + "%" }}></div>
        <div class="en-synced" style=${{ width: percent(s.synced, s.size) + "%" }}></div>`}
        <span>${s.spare ? "spare" : s.number}</span>
      </div>`)}</div>
    <p class="hint" data-durable>write #${count(layout.last_seq)}${unsynced > 0 ? `, the last ${count(unsynced)} not synced yet` : ", all synced"}</p>
    <ol class="en-changes" aria-label="last writes">${changes.toSorted((a, b) => a.seq - b.seq).slice(-6).map((c) => html`<li key=${c.seq + c.op} class=${c.op}>
      <b>${c.op.replace("_", " ")}</b> <bdi>${shown(bytesOf(c, "key") ?? new Uint8Array(), 18)}</bdi> <span class="soft">#${c.seq}</span></li>`)}</ol>
  </section>`;
}

function MemTables({ layout, verdicts }) {
  return html`<section class="en-box en-mem" aria-label="memtables" data-memtables>
    <header><h3>Memtables</h3><span class="hint">sorted in memory</span></header>
    <div class="en-tanks">${layout.memtables.map((m, i) => html`
      <div key=${i} class=${"en-tank" + (m.active ? " active" : " sealed") + (verdicts.get(m.active ? "memtable" : "sealed" + i) ?? "")} data-place=${m.active ? "memtable" : "sealed" + i}
        title=${`${size(m.used)} of ${size(m.size)}`}>
        <div class="en-fill" style=${{ height: percent(m.used, m.size) + "%" }}></div>
        ${layout.memtables.length > 4
          ? html`<span>${Math.round(percent(m.used, m.size))} %</span>`
          : html`<span><b>${m.active ? "active" : "sealed"}</b><br />${many(m.entries, "entry").replace("entrys", "entries")}<br />${Math.round(percent(m.used, m.size))} % full</span>`}
      </div>`)}</div>
    <p class="hint">${layout.memtables.length > 1 ? "A sealed memtable takes no more writes and waits for its flush." : "When it is full it is sealed and flushed to a table."}</p>
  </section>`;
}

// Fall is the way from one level to the next, and the job that goes it.
function Fall({ text, job }) {
  const what = !job ? "" : job.kind === "flush" ? "a memtable becomes a table" : job.kind === "move" ? "a table moves as it is"
    : job.kind === "drop" ? "tables are dropped unread" : `${many(job.inputs.length, "table")} ${job.inputs.length === 1 ? "is" : "are"} merged`;
  return html`<div class=${"en-fall" + (job ? " busy" : "")} data-job=${job?.kind}><span aria-hidden="true">▼</span> ${text}${job && html`: <b>${what}</b>`}</div>`;
}

// go moves the focus among the tables of a level: a tabulator that stops at each would not get past them.
function go(e) {
  const all = [...e.currentTarget.querySelectorAll("[data-table]")], at = all.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[e.key];
  if (to === undefined || !all[to]) return;
  e.preventDefault();
  all[to].focus();
}

function Level({ level, largest, verdicts, picked, onPick, due }) {
  const bytes = level.tables.reduce((sum, t) => sum + t.bytes, 0);
  const state = level.target_bytes > 0 ? `${size(bytes)} of ${size(level.target_bytes)} wanted at most` : size(bytes);
  const tables = level.tables.slice(0, mostTables);
  const at = Math.max(0, tables.findIndex((t) => t.number === picked)); // the one of the level that the tabulator stops at
  return html`<section class=${"en-box en-level" + (due ? " due" : "") + (verdicts.get("level" + level.level) ?? "")} aria-label=${"level " + level.level} data-level=${level.level} data-place=${"level" + level.level}>
    <header><h3>L${level.level}</h3><span class="hint">${many(level.tables.length, "table")}, ${state}${level.score > 0 ? `, score ${level.score.toFixed(2)}` : ""}</span></header>
    <div class="en-tables" role="group" aria-label=${`tables of level ${level.level}; arrow keys go from one to the next`} onKeyDown=${go}>${tables.map((t, i) => html`<button tabindex=${i === at ? 0 : -1} type="button" key=${t.number} data-table=${t.number} data-place=${"table" + t.number}
      class=${"en-table" + (t.job ? " taken" : "") + (t.number === picked ? " picked" : "") + (verdicts.get("table" + t.number) ?? "")}
      style=${{ width: `max(9px, ${(98 * t.bytes / largest).toFixed(3)}% - 4px)` }} onClick=${() => onPick(t.number)}
      aria-label=${`table ${t.number}, ${size(t.bytes)}, keys ${keyOf(t, "smallest")} to ${keyOf(t, "largest")}${t.job ? ", being compacted" : ""}`}
      title=${`table ${t.number}: ${size(t.bytes)}, ${count(t.entries)} entries\n${keyOf(t, "smallest")} to ${keyOf(t, "largest")}`}>${t.bytes > 0.04 * largest && html`<span>${t.number}</span>`}</button>`)}
      ${level.tables.length > mostTables && html`<span class="hint">and ${count(level.tables.length - mostTables)} more</span>`}
      ${level.tables.length === 0 && html`<span class="hint en-none">no tables</span>`}</div>
  </section>`;
}

// Cache is beside the tables: only blocks that had to be decompressed go there.
function Cache({ cache, used }) {
  if (!cache || cache.size === 0) return null;
  const asked = cache.hits + cache.misses;
  return html`<section class=${"en-box en-cache" + (used ? " v-hit" : "")} aria-label="block cache" data-cache>
    <header><h3>Block cache</h3><span class="hint">${size(cache.held)} of ${size(cache.size)} decompressed${asked > 0 ? `, ${Math.round(100 * cache.hits / asked)} % of ${count(asked)} found there` : ""}</span></header>
    <div class="en-bar"><div class="en-held" style=${{ width: percent(cache.held, cache.size) + "%" }}></div></div>
  </section>`;
}

function Details({ table }) {
  if (!table) return html`<p class="hint en-details">Choose a table to see what is in it. The wider, the larger it is; the smallest are drawn larger than they are.</p>`;
  return html`<dl class="en-details facts" data-details>
    <div><dt>Table</dt><dd>${table.number} in L${table.level}</dd></div>
    <div><dt>Size</dt><dd>${size(table.bytes)}</dd></div>
    <div><dt>Entries</dt><dd>${count(table.entries)}, ${count(table.deletes)} tombstones, ${count(table.shadowed)} overwritten</dd></div>
    <div><dt>Keys</dt><dd class="mono"><bdi>${keyOf(table, "smallest")}</bdi> … <bdi>${keyOf(table, "largest")}</bdi></dd></div>
    <div><dt>Writes</dt><dd>#${count(table.smallest_seq)} to #${count(table.largest_seq)}</dd></div>
  </dl>`;
}

// verdictsOf says for each place that a read has looked at what it met there, as a class.
function verdictsOf(trace, seen) {
  const verdicts = new Map();
  let sealed = 0;
  for (const p of (trace?.places ?? []).slice(0, seen)) {
    verdicts.set(placeOf(p, p.kind === "sealed" ? ++sealed : 0), " v-" + verdict(p));
  }
  return verdicts;
}

export const placeOf = (p, sealed) => (p.kind === "table" ? "table" + p.table : p.kind === "level" ? "level" + p.level : p.kind === "sealed" ? "sealed" + sealed : "memtable");

// verdict is hit (the key was there), no (it was not, without reading), miss (it was not, and it took a read) or out (out of bounds).
export function verdict(p) {
  if (p.hit) return "hit";
  if (p.kind === "level" || (p.kind === "table" && !p.covers)) return "out";
  if (p.kind !== "table" || p.filter === "no") return "no";
  return "miss";
}

// useMoves lets tables move from where they were. One that is new comes out of what it was made of: the memtable, or the tables that are gone.
function useMoves(box, layout) {
  const before = useRef(new Map());
  useLayoutEffect(() => {
    if (!box.current) return;
    const now = new Map();
    for (const el of box.current.querySelectorAll("[data-table]")) now.set(el.dataset.table, el);
    const rects = new Map([...now].map(([n, el]) => [n, el.getBoundingClientRect()]));
    const old = before.current;
    if (old.size > 0 && !calm()) {
      const gone = [...old].filter(([n]) => !now.has(n)).map(([, at]) => at);
      const memtable = box.current.querySelector("[data-memtables]").getBoundingClientRect();
      for (const [n, el] of now) {
        const to = rects.get(n);
        const from = old.get(n) ? shifted(old.get(n)) : gone.length > 0 && el.closest("[data-level]").dataset.level !== "0" ? shifted(middle(gone)) : memtable;
        const x = from.left - to.left, y = from.top - to.top;
        if (Math.abs(x) + Math.abs(y) < 2) continue;
        el.animate([{ transform: `translate(${x}px, ${y}px)`, opacity: old.has(n) ? 1 : 0.2 }, { transform: "none", opacity: 1 }], { duration: 600, easing: "cubic-bezier(.3,.9,.4,1)" });
      }
    }
    before.current = new Map([...rects].map(([n, r]) => [n, { left: r.left + scrollX, top: r.top + scrollY }]));
  }, [layout]);
}

const shifted = (at) => ({ left: at.left - scrollX, top: at.top - scrollY });
const middle = (all) => ({ left: all.reduce((s, r) => s + r.left, 0) / all.length, top: all.reduce((s, r) => s + r.top, 0) / all.length });

// useDot moves the dot of a read to the place that it looks at.
function useDot(box, trace, seen) {
  const last = useRef(null);
  useLayoutEffect(() => {
    const dot = box.current?.querySelector(".en-dot");
    if (!dot) return;
    const places = (trace?.places ?? []).slice(0, seen);
    const p = places[places.length - 1];
    const el = p && box.current.querySelector(`[data-place="${placeOf(p, places.filter((q) => q.kind === "sealed").length)}"]`);
    if (!el) {
      dot.classList.remove("on");
      last.current = null;
      return;
    }
    const here = box.current.getBoundingClientRect(), at = el.getBoundingClientRect();
    const to = { x: at.left - here.left + Math.min(at.width / 2, 60), y: at.top - here.top };
    dot.classList.add("on");
    dot.style.transform = `translate(${to.x}px, ${to.y}px)`;
    if (last.current && !calm()) {
      dot.animate([{ transform: `translate(${last.current.x}px, ${last.current.y}px)` }, { transform: `translate(${to.x}px, ${to.y}px)` }], { duration: 350, easing: "ease-in-out" });
    }
    last.current = to;
  });
}
