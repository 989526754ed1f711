// Learn: eight lessons on the classroom's store, which is tiny and may be broken, and what else one wants to know before one chooses.

import { html, useEffect, useRef, useState } from "../lib.js";
import { query } from "../api.js";
import { storeAt } from "../stores.js";
import { Button, Card, Problem, say, still, useTask } from "../ui.js";
import { lessons } from "./learn-lessons.js";
import { Plug } from "./learn-plug.js";
import { Comparison, Consistency, Costs, TradeOffs } from "./learn-reference.js";
import { Inside } from "./inside.js";

const pages = [["costs", "Costs", Costs], ["trade-offs", "Trade-offs", TradeOffs], ["consistency", "Consistency", Consistency], ["others", "Others", Comparison]];

export function Learn({ info, path }) {
  const page = pages.find(([p]) => p === path);
  const n = Math.min(lessons.length, Math.max(1, Number(path) || 1));
  const current = page ? path : String(n);
  const steps = useRef(null);
  useEffect(() => { // on a narrow screen the lists scroll sideways
    const at = steps.current.querySelector("[aria-current]");
    const list = at.closest("ol, ul");
    list.scrollLeft = at.offsetLeft - list.offsetLeft - (list.clientWidth - at.clientWidth) / 2;
  }, [current]);
  return html`<div class="stack learn">
    <nav class="steps" aria-label="lessons" ref=${steps}><ol>${lessons.map((l, i) => html`<li key=${i}>
      <a href=${`#/learn/${i + 1}`} aria-current=${current === String(i + 1) ? "step" : undefined}><span class="step-n">${i + 1}</span>${l.name}</a></li>`)}</ol>
      <ul>${pages.map(([p, text]) => html`<li key=${p}><a href=${"#/learn/" + p} aria-current=${current === p ? "step" : undefined}>${text}</a></li>`)}</ul></nav>
    ${page ? html`<${page[2]} />` : html`<${Lesson} key=${n} n=${n} lesson=${lessons[n - 1]} info=${info} />`}
  </div>`;
}

function Lesson({ n, lesson, info }) {
  const ready = Boolean(info?.classroom);
  const store = storeAt(ready ? "/classroom" : "");
  return html`<div class="grid lesson" data-lesson=${n}>
    <div class="stack">
      <${Card} title=${lesson.title} more=${ready && html`<span class="badge">the classroom's store</span>`}>
        ${lesson.text.map((p, i) => html`<p key=${i}>${p}</p>`)}
        <p class="do"><b>Try it.</b> ${lesson.look}</p>
        ${!ready && html`<p class="note">The buttons need the classroom, a second store in a process of its own: start <code>tinykv demo</code>. The picture beside this shows your own store.</p>`}
        ${lesson.plug ? html`<${Plug} store=${store} ready=${ready} />` : html`<${Doing} store=${store} lesson=${lesson} ready=${ready} />`}
      <//>
      <${Card}><details class="question"><summary>${lesson.question}</summary><p>${lesson.answer}</p></details><//>
      <div class="row spread">
        ${n > 1 ? html`<a href=${`#/learn/${n - 1}`}>← ${lessons[n - 2].name}</a>` : html`<span></span>`}
        ${n < lessons.length && html`<a href=${`#/learn/${n + 1}`}>${lessons[n].name} →</a>`}
      </div>
    </div>
    <div class="lesson-picture"><${Inside} store=${store} info=${info} compact=${true} reading=${lesson.reads} /></div>
  </div>`;
}

// Doing is the buttons of a lesson, and what they have told.
function Doing({ store, lesson, ready }) {
  const [told, setTold] = useState([]);
  const [run, task] = useTask();
  const act = (action) => run(async () => {
    setTold([]);
    await action(store.api, (text) => setTold((all) => [...all, text].slice(-14)));
  });
  return html`<div class="stack" data-doing=${task.busy ? "busy" : told.length ? "done" : "idle"}>
    <div class="row">${lesson.actions.map(([label, action], i) => html`<${Button} key=${i} kind=${i === 0 ? "main" : ""} data-do=${`act-${i + 1}`} busy=${task.busy} disabled=${!ready} onClick=${() => act(action)}>${label}<//>`)}
      ${ready && html`<${Motion} store=${store} />`}</div>
    <${Problem} error=${task.error} />
    ${told.length > 0 && html`<ol class="log told" role="status">${told.map((t, i) => html`<li key=${i}>${t}</li>`)}</ol>`}
  </div>`;
}

const slowest = 800; // milliseconds that a flush or compaction pauses at its begin and end

// Motion slows flushes and compactions down so that they can be watched.
function Motion({ store }) {
  const [slow, setSlow] = useState(false);
  const set = async (on) => {
    try {
      await store.api.send("PUT", "/v1/motion" + query({ slow_ms: on ? slowest : undefined }));
      setSlow(on);
    } catch (e) {
      say(e.message, "bad");
    }
  };
  useEffect(() => {
    if (still()) return undefined;
    set(true);
    return () => { store.api.send("PUT", "/v1/motion").catch(() => {}); };
  }, [store]);
  return html`<label class="check"><input type="checkbox" checked=${slow} onChange=${(e) => set(e.target.checked)} />slow motion</label>`;
}
