// Live: what the store does per second, how long it takes, what its filters and cache are good for. Numbers come over the WebSocket once a
// second; rates and percentiles are those of the time since the ones before.

import { html, useEffect, useRef, useState } from "../lib.js";
import { Card, Choice, Problem, Stat, Table } from "../ui.js";
import { clock, count, duration, size, utf8 } from "../format.js";

const kept = 300; // points, five minutes

export function Live({ store }) {
  const { points, last, error } = usePoints(store);
  const m = last?.metrics;
  const at = (name) => points.length > 0 ? points[points.length - 1][name] : null;
  return html`<div class="stack" data-live data-points=${points.length}>
    <${Problem} error=${error} />
    ${m?.failed && html`<${Problem} error=${{ code: "failed", message: "The store takes no writes." }} />`}
    ${store.base !== "" && html`<${Traffic} store=${store} />`}
    <div class="stats">
      <${Stat} label="Keys, about" value=${m ? count(m.keys) : "–"} note=${m ? size(m.table_bytes) + " of tables" : ""} />
      <${Stat} label="Requests a second" value=${rate(at("requests"))} note=${last ? count(last.requests.read.count + last.requests.write.count) + " in all" : ""} />
      <${Stat} label="Engine writes a second" value=${rate(at("writes"))} note=${m ? "#" + count(m.last_seq) : ""} />
      <${Stat} label="Request, p99" value=${time(at("req99"))} note=${"p50 " + time(at("req50"))} />
      <${Stat} label="Point read, p99" value=${time(percentile(m?.latency.get.buckets, 99))} note=${"p50 " + time(percentile(m?.latency.get.buckets, 50)) + ", one in 256 timed"} />
      <${Stat} label="Stalls" value=${m ? count(m.stalls) : "–"} note=${m ? duration(m.stall_time_ns) + " in all" : ""} />
    </div>
    <div class="grid two">
      <${Chart} title="Operations a second" whole points=${points} lines=${[["requests", "requests", "--good"], ["reads", "point reads, about", "--accent"], ["writes", "engine writes", "--warn"]]} value=${(v) => rate(v)} />
      <${Chart} title="Latency" points=${points} log lines=${[["req50", "request p50", "--good", [2, 3]], ["req99", "request p99", "--good"], ["get99", "point read p99", "--accent"], ["write99", "write p99", "--warn"]]} value=${(v) => time(v)} />
      <${Chart} title="Hit rates" points=${points} range=${[0, 100]} lines=${[["cache", "cache hits", "--accent"], ["filter", "reads spared by filters", "--good"]]} value=${(v) => percent(v)} />
      <${Chart} title="Amplification" points=${points} lines=${[["readAmp", "read: places", "--accent"], ["writeAmp", "write: times", "--warn"], ["spaceAmp", "space: times", "--good"]]} value=${(v) => v.toFixed(2)} />
      <${Chart} title="Compaction" bytes points=${points} lines=${[["debt", "to be rewritten", "--warn"], ["memtables", "memtables", "--accent"]]} value=${(v) => size(v)} />
      <${Chart} title="Writers slowed or stopped, share of the time" points=${points} lines=${[["stalled", "stopped", "--bad"], ["delayed", "slowed down", "--warn"]]} value=${(v) => percent(v)} />
    </div>
    ${m && html`<${Levels} metrics=${m} />`}
  </div>`;
}

// Traffic makes the store work while the view is open: so many clients at once, three reads of what they have written for each write.
function Traffic({ store }) {
  const [clients, set] = useState(0);
  const [error, setError] = useState(null);
  useEffect(() => {
    let on = true;
    const written = [];
    const client = async () => {
      while (on) {
        try {
          if (written.length > 0 && Math.random() < 0.75) {
            await store.api.get(written[Math.floor(written.length * Math.random())]);
          } else {
            const key = utf8("traffic/" + Math.floor(2000 * Math.random() ** 2));
            await store.api.put(key, utf8("x".repeat(200 + 400 * Math.random())));
            if (written.length < 4000) written.push(key);
          }
        } catch (e) {
          if (on && e.code !== "not_found") { // somebody deletes
            setError(e);
            await new Promise((wake) => setTimeout(wake, 500));
          }
        }
      }
    };
    for (let i = 0; i < clients; i++) client();
    return () => { on = false; };
  }, [clients, store]);
  return html`<div class="row"><span class="hint">Traffic</span>
    <${Choice} label="traffic" options=${[[0, "none"], [1, "1 client"], [8, "8 clients"]]} value=${clients} onChange=${(n) => { setError(null); set(n); }} />
    <${Problem} error=${error} /></div>`;
}

const rate = (v) => (v === null || v === undefined ? "–" : v >= 1e6 ? (v / 1e6).toFixed(2) + "M" : v >= 1e4 ? Math.round(v / 1e3) + "k" : v >= 1e3 ? (v / 1e3).toFixed(1) + "k" : String(Math.round(v)));
const time = (v) => (v === null || v === undefined ? "–" : duration(v));
const percent = (v) => (v === null || v === undefined ? "–" : v.toFixed(v < 10 ? 1 : 0) + " %");

function Levels({ metrics }) {
  const rows = metrics.levels.map((l, i) => ({ ...l, level: i })).filter((l) => l.tables > 0);
  const columns = [
    { title: "Level", cell: (l) => "L" + l.level },
    { title: "Tables", number: true, cell: (l) => count(l.tables) },
    { title: "Size", number: true, cell: (l) => size(l.bytes) },
    { title: "Wanted at most", number: true, cell: (l) => (l.target_bytes ? size(l.target_bytes) : "–") },
    { title: "Score", number: true, cell: (l) => (l.score ? l.score.toFixed(2) : "–") },
    { title: "Entries", number: true, cell: (l) => count(l.entries) },
    { title: "Tombstones", number: true, cell: (l) => count(l.deletes) },
    { title: "Written", number: true, cell: (l) => size(l.written_bytes) },
    { title: "Times", number: true, cell: (l) => (l.in_bytes ? (l.written_bytes / l.in_bytes).toFixed(1) : "–") },
  ];
  return html`<${Card} title="Levels"><${Table} caption="levels" columns=${columns} rows=${rows} empty="Everything is in memtables yet." /><//>`;
}

// usePoints follows the numbers of a store: {points, last, error}.
function usePoints(store) {
  const [state, set] = useState({ points: [], last: null });
  const [error, setError] = useState(null);
  useEffect(() => store.socket.subscribe("metrics", { every_ms: 1000 }, (data) => set((s) => {
    const before = s.last;
    // A process that was started anew counts from nothing.
    if (!before || data.metrics.last_seq < before.metrics.last_seq || data.uptime_ms < before.uptime_ms) return { points: [], last: data };
    return { points: [...s.points, point(before, data)].slice(-kept), last: data };
  }), setError), [store]);
  return { ...state, error };
}

// point is what happened between two readings.
export function point(a, b) {
  const seconds = Math.max(0.001, (b.at - a.at) / 1000);
  const m = b.metrics, o = a.metrics;
  const share = (part, whole) => (whole > 0 ? 100 * part / whole : null);
  const get = between(o.latency.get, m.latency.get), write = between(o.latency.write, m.latency.write);
  const req = [...between(a.requests.read, b.requests.read), ...between(a.requests.write, b.requests.write)].sort((x, y) => x.up_to_ns - y.up_to_ns);
  const hits = m.cache.hits - o.cache.hits, misses = m.cache.misses - o.cache.misses;
  return {
    at: b.at / 1000,
    reads: Math.max(0, b.ops.reads - a.ops.reads) / seconds,
    writes: Math.max(0, b.ops.writes - a.ops.writes) / seconds,
    requests: req.reduce((sum, x) => sum + x.count, 0) / seconds, req50: percentile(req, 50), req99: percentile(req, 99),
    get99: percentile(get, 99), write99: percentile(write, 99),
    cache: share(hits, hits + misses),
    filter: share(m.filters.no - o.filters.no, m.filters.asked - o.filters.asked),
    readAmp: m.read_amplification, writeAmp: m.write_amplification, spaceAmp: m.space_amplification,
    debt: m.pending_compaction_bytes, memtables: m.memtable_bytes,
    stalled: (m.stall_time_ns - o.stall_time_ns) / seconds / 1e7, delayed: (m.delay_time_ns - o.delay_time_ns) / seconds / 1e7,
  };
}

// between returns the buckets of what was counted between two histograms.
function between(before, after) {
  const old = new Map((before.buckets ?? []).map((b) => [b.up_to_ns, b.count]));
  return (after.buckets ?? []).map((b) => ({ up_to_ns: b.up_to_ns, count: b.count - (old.get(b.up_to_ns) ?? 0) })).filter((b) => b.count > 0);
}

function percentile(buckets = [], p) {
  let rank = Math.ceil(p / 100 * buckets.reduce((sum, b) => sum + b.count, 0));
  for (const b of buckets) {
    if (b.count >= rank) return b.up_to_ns;
    rank -= b.count;
  }
  return null;
}

// Chart draws lines over time: lines are [name of a point's field, label, colour, dash?].
function Chart({ title, points, lines, value, log, range, bytes, whole }) {
  const box = useRef(null), plot = useRef(null);
  const last = points[points.length - 1];
  const data = [points.map((p) => p.at), ...lines.map(([name]) => points.map((p) => (log && p[name] === 0 ? null : p[name])))];
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const make = () => {
      plot.current?.destroy();
      plot.current = new window.uPlot(options(box.current, lines, value, { log, range, bytes, whole }), latest.current, box.current);
    };
    make();
    const resized = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height: 180 }));
    resized.observe(box.current);
    addEventListener("themechange", make);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", make);
    return () => {
      removeEventListener("themechange", make);
      scheme.removeEventListener("change", make);
      resized.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => plot.current?.setData(data), [points]);
  return html`<${Card} title=${title} class="chart">
    <div ref=${box} class="chart-box" role="img" aria-label=${title + ": " + lines.map(([name, label]) => `${label} ${last ? value2(value, last[name]) : "not known yet"}`).join(", ")}></div>
    <ul class="legend">${lines.map(([name, label, colour, dash]) => html`<li key=${name}><i class=${"swatch c" + colour + (dash ? " dashed" : "")}></i>${label} <b>${last ? value2(value, last[name]) : "–"}</b></li>`)}</ul>
  <//>`;
}

const value2 = (value, v) => (v === null || v === undefined ? "–" : value(v));

function options(box, lines, value, { log, range, bytes, whole }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => resolve(style.getPropertyValue(name));
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width: box.clientWidth, height: 180, legend: { show: false }, cursor: { show: false }, padding: [8, 8, 0, 0],
    scales: { x: { time: true }, y: log ? { distr: 3 } : range ? { range } : { range: (u, low, high) => [0, Math.max(high * 1.1, whole ? 10 : 1)] } },
    axes: [
      { ...axis, space: 80, values: (u, ticks) => ticks.map((t) => clock(1000 * t)) },
      { ...axis, size: 62, ...(bytes ? { incrs: powers } : whole ? { incrs: wholes } : {}), values: (u, ticks) => ticks.map((t) => (t === null ? "" : value(t))) },
    ],
    series: [{}, ...lines.map(([, label, name, dash]) => ({ label, stroke: colour(name), width: 2, dash, spanGaps: false, points: { show: false } }))],
  };
}

const powers = Array.from({ length: 50 }, (_, i) => 2 ** i); // steps that are round in KiB and MiB

const wholes = Array.from({ length: 10 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();

// resolve turns a colour that depends on light and dark into one that a canvas takes.
function resolve(text) {
  const probe = document.createElement("i");
  probe.style.color = text;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}
