// Two transactions side by side, so that one can see what each sees, and what happens when they meet.

import { html, useEffect, useRef, useState } from "../lib.js";
import { shown, textOf, utf8 } from "../format.js";
import { Button, Card, Field, say, still } from "../ui.js";

export function Transactions({ store }) {
  const a = usePane(store, "A"), b = usePane(store, "B");
  const [story, setStory] = useState({ busy: false, text: "", end: "" });
  const show = async () => {
    setStory({ busy: true, text: "", end: "" });
    try {
      await lostUpdate(store, a, b, (text) => setStory({ busy: true, text, end: "" }));
      const { value } = await store.api.get(utf8("account"));
      setStory({ busy: false, end: "done", text: `B was refused: it had read the balance before A changed it. Had B been let through, A's deposit would be lost. The account holds ${textOf(value)}; B begins again and adds to that.` });
    } catch (e) {
      setStory({ busy: false, text: e.message, end: "failed" });
    }
  };
  return html`<div class="stack">
    <${Card} title="Two at once" more=${html`<${Button} kind="main" data-do="conflict" busy=${story.busy} onClick=${show}>Show me a conflict<//>`}>
      <p class="soft">A transaction sees the store as it was when it began, and its own writes. Nobody waits for a lock: when it commits, the store looks whether anything that it read has changed since, and refuses it then.</p>
      <p class=${story.text ? "note" : "away"} role="status" data-story=${story.end}>${story.text}</p>
    <//>
    <div class="grid two"><${Pane} pane=${a} /><${Pane} pane=${b} /></div>
  </div>`;
}

// lostUpdate is the classic: both read a balance, both add to it, both write it back.
async function lostUpdate(store, a, b, tell) {
  const pause = () => new Promise((go) => setTimeout(go, still() ? 0 : 650));
  const key = utf8("account");
  const balance = async (pane) => Number(textOf((await pane.get(key)).value));
  tell("The account holds 100.");
  await Promise.all([a.reset(), b.reset()]);
  await store.api.put(key, utf8("100"));
  tell("Both begin, and both read 100.");
  await a.begin();
  await b.begin();
  await pause();
  const ofA = await balance(a), ofB = await balance(b);
  await pause();
  tell("A adds 10 and B adds 20, each to what it has read.");
  await a.put(key, utf8(String(ofA + 10)));
  await pause();
  await b.put(key, utf8(String(ofB + 20)));
  await pause();
  tell("A commits.");
  await a.commit();
  await pause();
  tell("B commits.");
  await b.commit();
}

const part = (bytes) => html`<bdi>${shown(bytes, 30) || "(empty)"}</bdi>`;

// usePane is a transaction on the server, with what was done in it. Its calls rethrow nothing but what a script needs to know.
function usePane(store, name) {
  const [state, set] = useState({ id: "", log: [], busy: false, end: "" });
  const id = useRef("");
  const note = (text, kind = "") => set((s) => ({ ...s, log: [...s.log, { text, kind }].slice(-40) }));
  const become = (now, end = "") => {
    id.current = now;
    set((s) => ({ ...s, id: now, end }));
  };
  useEffect(() => () => { if (id.current) store.api.json("DELETE", "/v1/transactions/" + id.current).catch(() => {}); }, [store]);

  const at = () => ({ transaction: `transactions/${id.current}/` });
  // step runs one call and notes how it went. A transaction that the server does not know any more is over.
  const step = async (said, call, { done = () => "", reads = false } = {}) => {
    set((s) => ({ ...s, busy: true }));
    try {
      const result = await call();
      note([said, done(result)]);
      return result;
    } catch (e) {
      const absent = reads && e.code === "not_found";
      note([said, ": ", absent ? "not found" : e.message], absent ? "" : "bad");
      if (e.status === 409 || e.status === 410 || (e.status === 404 && !absent)) become("", e.status === 409 ? "conflict" : "over");
      return { failure: e };
    } finally {
      set((s) => ({ ...s, busy: false }));
    }
  };
  const pane = {
    name, ...state, note,
    begin: () => step("begin", async () => become((await store.api.json("POST", "/v1/transactions", { writable: true })).id)),
    get: (key) => step(html`get ${part(key)}`, () => store.api.get(key, at()), { reads: true, done: (item) => html` = ${part(item.value)}` }),
    put: (key, value) => step(html`put ${part(key)} = ${part(value)}`, () => store.api.put(key, value, at())),
    delete: (key) => step(html`delete ${part(key)}`, () => store.api.delete(key, at())),
    commit: () => step("commit", async () => {
      await store.api.json("POST", `/v1/transactions/${id.current}/commit`, {});
      become("", "committed");
    }, { done: () => ": done" }),
    rollback: () => step("roll back", async () => {
      await store.api.json("DELETE", "/v1/transactions/" + id.current);
      become("", "rolled back");
    }),
    reset: async () => {
      if (id.current) await store.api.json("DELETE", "/v1/transactions/" + id.current).catch(() => {});
      become("");
      set((s) => ({ ...s, log: [] }));
    },
  };
  return pane;
}

function Pane({ pane }) {
  const [key, setKey] = useState("account"), [value, setValue] = useState("100");
  const open = pane.id !== "";
  const able = open && !pane.busy;
  const state = open ? "open" : pane.end || "not begun";
  const commit = async () => {
    const result = await pane.commit();
    if (result?.failure?.status === 409) say(`${pane.name} was refused: what it had read has changed`, "bad");
  };
  return html`<${Card} title=${"Transaction " + pane.name} data-pane=${pane.name} data-state=${state}
    more=${html`<span class=${"badge " + (state === "open" ? "on" : state === "conflict" ? "bad" : "")}>${state}</span>`}>
    <div class="fields">
      <${Field} label="Key" mono=${true} value=${key} onInput=${(e) => setKey(e.target.value)} />
      <${Field} label="Value" mono=${true} value=${value} onInput=${(e) => setValue(e.target.value)} />
    </div>
    <div class="row">
      <${Button} class="button small" kind="" data-do="begin" disabled=${open || pane.busy} onClick=${pane.begin}>Begin<//>
      <${Button} class="button small" data-do="get" disabled=${!able} onClick=${() => pane.get(utf8(key))}>Get<//>
      <${Button} class="button small" data-do="put" disabled=${!able} onClick=${() => pane.put(utf8(key), utf8(value))}>Put<//>
      <${Button} class="button small" data-do="delete" disabled=${!able} onClick=${() => pane.delete(utf8(key))}>Delete<//>
      <${Button} class="button small main" data-do="commit" disabled=${!able} onClick=${commit}>Commit<//>
      <${Button} class="button small" data-do="rollback" disabled=${!able} onClick=${pane.rollback}>Roll back<//>
    </div>
    <ol class="log tall mono" aria-label=${"log of " + pane.name} tabindex="0">${pane.log.length === 0 ? html`<li class="soft">nothing yet</li>` : pane.log.map((l, i) => html`<li key=${i} class=${l.kind}>${l.text}</li>`)}</ol>
    <p class="hint">The server keeps an idle transaction for 30 s.</p>
  <//>`;
}
