// The frame: which view is shown, of which store, in which light.

import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./lib.js";
import { changeToken, onToken } from "./api.js";
import { storeAt } from "./stores.js";
import { Button, Dialog, Field, Problem, Toast } from "./ui.js";
import { useLost, useReturn } from "./parts.js";
import { Play } from "./views/play.js";
import { Data } from "./views/data.js";
import { Live } from "./views/live.js";
import { Inside } from "./views/inside.js";
import { Learn } from "./views/learn.js";
import { Ops } from "./views/ops.js";

// The views in the order of the keys 1 to 6. Each is a component of {store, info, path}; path is what follows its name in the address.
const views = [
  ["play", "Play", Play, "Put, get and delete; batches, transactions, a terminal"],
  ["data", "Data", Data, "Browse what is stored, filter, edit"],
  ["live", "Live", Live, "Operations, latencies and amplification as they happen"],
  ["inside", "Inside", Inside, "The engine at work: log, memtable, tables, compactions"],
  ["learn", "Learn", Learn, "Eight lessons on a store that you may break"],
  ["ops", "Ops", Ops, "Verify, compact, import, export"],
];

// place reads the address: #/learn/3 is {name: "learn", path: "3"}.
function place() {
  const [, name = "", path = ""] = location.hash.match(/^#\/(\w+)(?:\/(.*))?$/) ?? [];
  return views.some(([v]) => v === name) ? { name, path } : { name: "play", path: "" };
}

const typing = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog") !== null;

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("tinykv.theme", root.dataset.theme);
  } catch { /* it holds until the page is left */ }
  dispatchEvent(new Event("themechange")); // canvases draw anew
}

function App() {
  const [at, setAt] = useState(place());
  const [base, setBase] = useState("");
  const [info, setInfo] = useState(null);
  const [error, setError] = useState(null);
  const [help, setHelp] = useState(false);
  const [question, setQuestion] = useState(null);
  const main = useRef(null);
  const store = storeAt(base);

  useEffect(() => {
    onToken((refused) => new Promise((answer) => setQuestion({ refused, answer })));
    const moved = () => { setAt(place()); scrollTo(0, 0); };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);

  const ask = () => {
    setError(null);
    storeAt("").api.info().then(setInfo, (e) => {
      setError(e);
      if (e.code === "unreachable") setTimeout(ask, 2000);
    });
  };
  useEffect(ask, []); // before any view: it may be told that a token is needed
  useReturn(storeAt(""), ask); // it may have been started anew, with other options
  const lost = useLost(store);

  useEffect(() => {
    const key = (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || typing(e.target)) return;
      const view = views[Number(e.key) - 1];
      if (view) {
        location.hash = "#/" + view[0];
        main.current?.focus({ preventScroll: true });
      } else if (e.key === "?") setHelp(true);
      else if (e.key === "t") toggleTheme();
      else return;
      e.preventDefault();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);

  const [, title, View, about] = views.find(([v]) => v === at.name);
  useEffect(() => { document.title = title + " · tinykv"; }, [title]);

  return html`
    <a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); main.current.focus(); }}>Skip to the content</a>
    <header class="top"><div class="top-in">
      <a class="brand" href="#/play" aria-label="tinykv"><img src="icon.svg" width="26" height="26" alt="" /><span>tinykv</span></a>
      <nav aria-label="views"><ul>${views.map(([v, text], i) => html`<li key=${v}>
        <a href=${"#/" + v} aria-current=${v === at.name ? "page" : undefined} title=${`key ${i + 1}`}>${text}</a></li>`)}</ul></nav>
      <div class="top-right">
        ${info?.classroom && at.name !== "learn" && html`<${StoreSwitch} base=${base} onChange=${setBase} />`}
        <${Connection} store=${store} ready=${info !== null} />
        ${info?.auth && html`<button type="button" class="icon" title="another token" aria-label="another token" data-do="token" onClick=${changeToken}>⚿</button>`}
        <button type="button" class="icon" title="light or dark (t)" aria-label="switch between light and dark" data-theme-toggle onClick=${toggleTheme}>◐</button>
        <button type="button" class="icon" title="keys (?)" aria-label="keys" onClick=${() => setHelp(true)}>?</button>
      </div>
    </div></header>
    <main id="main" tabindex="-1" ref=${main}>
      <div class="lead"><h1>${title}</h1><p>${about}</p></div>
      ${lost && html`<p class="problem lead" role="status" data-lost>${base === "" ? "The server does not answer." : "The classroom does not answer."} What you see is what it said last. It is asked again until it answers; then everything here goes on.</p>`}
      ${info?.read_only && html`<p class="note lead" data-read-only>This server is read-only: all that changes anything is refused.</p>`}
      ${error && !info && html`<div class="stack"><${Problem} error=${error} /><${Button} onClick=${ask}>Try again<//></div>`}
      ${info && html`<${Guarded} view=${View} key=${at.name + base} store=${store} info=${info} path=${at.path} />`}
    </main>
    <${Toast} />
    ${help && html`<${Keys} onClose=${() => setHelp(false)} />`}
    ${question && html`<${TokenQuestion} ...${question} onDone=${() => setQuestion(null)} />`}`;
}

// Guarded is a view whose own faults leave the rest of the page usable.
function Guarded({ view, ...props }) {
  const [error, again] = useErrorBoundary();
  if (!error) return html`<${view} ...${props} />`;
  return html`<div class="stack" data-broken>
    <p class="problem" role="alert"><strong>This view met a fault of its own</strong> ${error.message}. The store is as it was, and so are the other views.</p>
    <div class="row"><${Button} kind="main" onClick=${again}>Show it again<//></div></div>`;
}

function StoreSwitch({ base, onChange }) {
  return html`<label class="switch"><span class="away">Store</span>
    <select value=${base} onChange=${(e) => onChange(e.target.value)} data-store-switch>
      <option value="">This store</option><option value="/classroom">Classroom</option>
    </select></label>`;
}

function Connection({ store, ready }) {
  const [state, set] = useState("idle");
  useEffect(() => {
    if (ready) store.socket.connect();
    return store.socket.onState(set);
  }, [store, ready]);
  const text = { idle: "not connected yet", connecting: "connecting", open: "connected", lost: "connection lost, trying again" }[state];
  return html`<span class=${"dot " + state} role="img" aria-label=${text} title=${text} data-connection=${state}></span>`;
}

function Keys({ onClose }) {
  const keys = [...views.map(([, text], i) => [i + 1, text]), ["t", "light or dark"], ["?", "these keys"], ["Esc", "close a dialog"]];
  return html`<${Dialog} title="Keys" onClose=${onClose}><dl class="keys">${keys.map(([k, text]) => html`<div key=${k}><dt><kbd>${k}</kbd></dt><dd>${text}</dd></div>`)}</dl><//>`;
}

function TokenQuestion({ refused, answer, onDone }) {
  const [text, set] = useState("");
  const end = (value) => { answer(value.trim()); onDone(); };
  return html`<${Dialog} title="Token" onClose=${() => end("")}>
    <form onSubmit=${(e) => { e.preventDefault(); end(text); }}>
      <p class="soft">${refused ? "That token was refused." : "This server wants a token."} It is kept until you close the tab.</p>
      <${Field} label="Token" type="password" value=${text} onInput=${(e) => set(e.target.value)} />
      <div class="row"><${Button} kind="main" type="submit">Use it<//><${Button} onClick=${() => end("")}>Cancel<//></div>
    </form><//>`;
}

const app = document.getElementById("app");
app.textContent = "";
render(html`<${App} />`, app);
