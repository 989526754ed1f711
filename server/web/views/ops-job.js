// A job on the server: it tells its progress line by line, ends when the connection is closed, and leaves a report.

import { html, useEffect, useRef, useState } from "../lib.js";
import { count, duration, size } from "../format.js";
import { Button, Problem, Progress } from "../ui.js";

const idle = { state: "idle", progress: null, report: null, error: null };

// useJob is [state, start(task), cancel]; the task gets a signal and a function that takes progress, and promises the report.
export function useJob() {
  const [job, set] = useState(idle);
  const control = useRef(null);
  useEffect(() => () => control.current?.abort(), []);
  const start = async (task) => {
    control.current = new AbortController();
    set({ ...idle, state: "running" });
    try {
      const report = await task(control.current.signal, (progress) => set((j) => (j.state === "running" ? { ...j, progress } : j)));
      set((j) => ({ ...j, state: "done", report }));
    } catch (error) {
      set((j) => (error.name === "AbortError" ? { ...j, state: "cancelled" } : { ...j, state: "failed", error }));
    }
  };
  return [job, start, () => control.current?.abort()];
}

// JobView shows what useJob knows: buttons, bar, and what came of it.
export function JobView({ name, label, job, start, cancel, able = true, children }) {
  const running = job.state === "running";
  return html`<div class="stack" data-job=${name} data-state=${job.state}>
    <div class="row"><${Button} kind="main" data-do=${name} busy=${running} disabled=${!able} onClick=${start}>${label}<//>
      ${running && html`<${Button} data-do=${"cancel-" + name} onClick=${cancel}>Cancel<//>`}</div>
    ${running && html`<${Progress} label=${job.progress?.phase ?? "working"} done=${job.progress?.done ?? 0} total=${job.progress?.total ?? 0} />`}
    ${job.state === "cancelled" && html`<p class="note">Cancelled. What was done so far stays.</p>`}
    <${Problem} error=${job.error} />
    ${children}
  </div>`;
}

export function Job({ store, name, label, path, onDone = () => {} }) {
  const [job, start, cancel] = useJob();
  const begin = () => start(async (signal, progress) => {
    const last = await store.api.lines("POST", path, { signal, body: "{}", each: (line) => { if (line.progress) progress(line.progress); } });
    if (last?.error) throw last.error;
    onDone();
    return last?.report ?? {};
  });
  return html`<${JobView} name=${name} label=${label} job=${job} start=${begin} cancel=${cancel}>
    ${job.state === "done" && html`<${Report} report=${job.report} />`}<//>`;
}

// Report shows a report as it is: numbers and words by name, lists behind a fold.
export function Report({ report, title = "Done" }) {
  const plain = Object.entries(report).filter(([, v]) => v === null || typeof v !== "object");
  const lists = Object.entries(report).filter(([, v]) => v !== null && typeof v === "object" && Object.keys(v).length > 0);
  return html`<div class="report" data-report><p class="good">${title}</p>
    <dl class="pairs">${plain.map(([name, v]) => html`<div key=${name}><dt>${spoken(name)}</dt><dd>${figure(name, v)}</dd></div>`)}</dl>
    ${lists.map(([name, v]) => html`<details key=${name}><summary>${spoken(name)}${Array.isArray(v) ? ` (${v.length})` : ""}</summary><pre class="box" tabindex="0">${JSON.stringify(v, null, 2)}</pre></details>`)}
  </div>`;
}

const spoken = (name) => name.replace(/_(ns|ms)$/, "").replaceAll("_", " ");

function figure(name, v) {
  if (typeof v === "boolean") return v ? "yes" : "no";
  if (typeof v !== "number") return String(v ?? "–");
  if (name.endsWith("_ns")) return duration(v);
  if (name.endsWith("_ms")) return duration(v * 1e6);
  return /bytes|size/.test(name) ? size(v) : count(v);
}
