// A terminal that speaks the words of the shell, over the WebSocket.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib.js";
import { Card } from "../ui.js";

const historyKey = "tinykv.history";
const outside = "tinykv> "; // the prompt outside of transactions and buckets
const most = 500; // lines that are kept

function loadHistory() {
  try {
    return JSON.parse(sessionStorage.getItem(historyKey)) ?? [];
  } catch {
    return [];
  }
}

// shared is the beginning that two lines have in common.
function shared(a, b) {
  let n = 0;
  while (n < a.length && a[n] === b[n]) n++;
  return a.slice(0, n);
}

const over = { kind: "bad", text: "The connection was lost. A transaction or a bucket that this terminal was in went with it." };
const earlier = new WeakMap(); // store -> what its terminal showed when one left it, and over which connection

export function Terminal({ store }) {
  const before = useRef(earlier.get(store)).current;
  const same = before !== undefined && before.connection === store.socket.socket; // the session of the shell goes with the connection
  const [lines, setLines] = useState(before?.lines ?? [{ kind: "soft", text: "The words of the shell: type help. Tab completes; arrow up and down for what was typed before, Ctrl-C to stop, Ctrl-L to wipe." }]);
  const [prompt, setPrompt] = useState(same ? before.prompt : outside);
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const history = useRef(loadHistory());
  const at = useRef(history.current.length);
  const foot = useRef(null), input = useRef(null), used = useRef(false), stop = useRef(null);
  useLayoutEffect(() => { foot.current.scrollTop = foot.current.scrollHeight; }, [lines, busy]);
  useEffect(() => { if (!busy && used.current) input.current?.focus({ preventScroll: true }); }, [busy]);

  useEffect(() => { if (used.current || before) earlier.set(store, { lines, prompt, connection: store.socket.socket }); }, [lines, prompt]);
  useEffect(() => { // so does what it knew
    if (before && !same && before.prompt !== outside) print(over);
    let open = false;
    return store.socket.onState((state) => {
      if (open && state === "lost" && (used.current || before)) {
        print(over);
        setPrompt(outside);
      }
      open = state === "open";
    });
  }, [store]);

  const print = (...more) => setLines((l) => [...l, ...more].slice(-most));
  const remember = (line) => {
    if (line.trim() && history.current[history.current.length - 1] !== line) history.current = [...history.current, line].slice(-200);
    at.current = history.current.length;
    try {
      sessionStorage.setItem(historyKey, JSON.stringify(history.current));
    } catch { /* it lasts as long as the view */ }
  };
  const enter = async () => {
    const line = text;
    used.current = true;
    remember(line);
    setText("");
    print({ kind: "typed", text: prompt + line });
    if (!line.trim()) return;
    setBusy(true);
    try {
      const answer = await store.socket.call("shell", { line }, (stop.current = new AbortController()).signal);
      const said = [];
      if (answer?.out) said.push({ text: answer.out.replace(/\n$/, "") });
      if (answer?.error) said.push({ kind: "bad", text: answer.error.message ?? answer.error });
      print(...said);
      if (answer?.prompt) {
        setPrompt(answer.prompt);
        earlier.set(store, { lines: [...earlier.get(store)?.lines ?? [], ...said], prompt: answer.prompt, connection: store.socket.socket }); // one may have left meanwhile
      }
    } catch (e) {
      print({ kind: "bad", text: e.message });
    }
    setBusy(false);
  };
  const recall = (by) => {
    at.current = Math.max(0, Math.min(history.current.length, at.current + by));
    setText(history.current[at.current] ?? "");
  };
  // complete puts in what all completions have in common, and lists them when that is no more than there is.
  const complete = async () => {
    const { lines: all } = await store.socket.call("complete", { line: text }).catch(() => ({ lines: [] }));
    if (all.length === 0) return;
    const common = all.reduce(shared);
    if (common.length > text.length) setText(all.length === 1 ? common + " " : common);
    else print({ kind: "soft", text: all.join("   ") });
  };
  const key = (e) => {
    if (e.key === "c" && e.ctrlKey && busy && String(getSelection()) === "") stop.current.abort();
    if (e.key === "Tab" && !e.shiftKey && text !== "") complete();
    else if (e.key === "ArrowUp") recall(-1);
    else if (e.key === "ArrowDown") recall(1);
    else if (e.key === "l" && e.ctrlKey) setLines([]);
    else return;
    e.preventDefault();
  };

  return html`<${Card} title="Terminal">
    <div class="terminal" ref=${foot} onClick=${() => String(getSelection()) === "" && input.current.focus({ preventScroll: true })}>
      <div role="log" aria-label="output" data-terminal>${lines.map((l, i) => html`<pre key=${i} class=${l.kind ?? ""}>${l.text}</pre>`)}</div>
      <form onSubmit=${(e) => { e.preventDefault(); if (!busy) enter(); }}>
        <label for="terminal-line"><span class="away">command</span><span aria-hidden="true">${prompt}</span></label>
        <input id="terminal-line" ref=${input} autocomplete="off" autocapitalize="off" spellcheck=${false} value=${text} readonly=${busy}
          onInput=${(e) => setText(e.target.value)} onKeyDown=${key} />
      </form>
    </div>
  <//>`;
}
