// What views share. Each component takes plain values; nothing here speaks with a server.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./lib.js";
import { count, hexBytes, hexDump, hexOf, jsonOf, plainly, size, textOf, utf8 } from "./format.js";

let lastId = 0;
const useId = (prefix) => useRef(`${prefix}-${++lastId}`).current;

// Card is a titled box. more goes to the right of the title.
export function Card({ title, more, children, class: name = "", ...rest }) {
  return html`<section class=${"card " + name} ...${rest}>
    ${(title || more) && html`<header class="card-head">${title && html`<h2>${title}</h2>`}<div class="row">${more}</div></header>`}
    ${children}
  </section>`;
}

// Button: kind is "main" for the one that matters, "danger", or nothing. While busy it cannot be pressed again.
export function Button({ kind = "", busy, children, ...rest }) {
  return html`<button type="button" class=${"button " + kind} disabled=${busy || rest.disabled} aria-busy=${busy ? "true" : undefined} ...${rest}>${children}</button>`;
}

// Field is a labelled control: children is a function that gets the id for it; without, it is an input with the rest of the properties.
export function Field({ label, hint, error, children, mono, class: name = "", ...rest }) {
  const id = useId("field");
  const control = typeof children === "function" ? children(id) : html`<input id=${id} class=${mono ? "mono" : ""} autocomplete="off" spellcheck=${false} ...${rest} />`;
  return html`<div class=${"field " + name}>
    <label for=${id}>${label}${hint && html` <span class="hint">${hint}</span>`}</label>
    ${control}
    ${error && html`<p class="field-error" role="alert">${error}</p>`}
  </div>`;
}

// typed is how a field holds bytes: as text where it would give back the same, else as hex digits. A field of one line drops line feeds, one of
// several lines makes line feeds of carriage returns, and what cannot be seen cannot be edited.
function typed(bytes, lines) {
  const text = textOf(bytes);
  const able = text !== null && plainly(text) && (lines || !text.includes("\n"));
  return able ? { text, hex: false } : { text: digits(bytes), hex: true };
}

const digits = (bytes) => hexOf(bytes).replace(/..(?=.)/g, "$& ");

// useBytes is the state of a field for bytes: what was typed, as text or as hex digits.
export function useBytes(initial = "") {
  const [state, set] = useState({ text: initial, hex: false });
  let bytes = null, error = "";
  try {
    bytes = state.hex ? hexBytes(state.text) : utf8(state.text);
  } catch (e) {
    error = e.message;
  }
  const setBytes = (b, lines = false) => set(typed(b, lines));
  return { ...state, set, bytes, error, setBytes };
}

// BytesField is a field for a key or a value, of useBytes. Several rows make it a text area.
export function BytesField({ label, state, rows = 1, ...rest }) {
  const input = (e) => state.set({ ...state, text: e.target.value });
  const toggle = () => {
    if (state.error) return state.set({ text: state.text, hex: false }); // no digits: then it was meant as text
    if (!state.hex) return state.set({ text: digits(state.bytes), hex: true });
    const now = typed(state.bytes, rows > 1);
    if (now.hex) say("These bytes cannot be typed as text, so they stay hex digits.");
    return state.set(now);
  };
  return html`<${Field} label=${label} error=${state.error}>${(id) => html`<div class="joined">
    ${rows > 1
      ? html`<textarea id=${id} rows=${rows} class="mono" spellcheck=${false} value=${state.text} onInput=${input} ...${rest}></textarea>`
      : html`<input id=${id} class="mono" autocomplete="off" autocapitalize="off" spellcheck=${false} value=${state.text} onInput=${input} ...${rest} />`}
    <button type="button" class="mini" aria-pressed=${state.hex ? "true" : "false"} title="type hex digits instead of text" onClick=${toggle}>hex</button>
  </div>`}<//>`;
}

// Choice is a few buttons of which one is chosen: options are [value, label].
export function Choice({ label, options, value, onChange }) {
  return html`<div class="choice" role="group" aria-label=${label}>${options.map(([v, text]) => html`
    <button type="button" key=${v} aria-pressed=${v === value ? "true" : "false"} onClick=${() => onChange(v)}>${text}</button>`)}</div>`;
}

// Tabs: tabs are [id, label, component function]. Arrow keys go from one to the next.
export function Tabs({ label, tabs, value, onChange }) {
  const id = useId("tabs");
  const move = (e) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!by) return;
    e.preventDefault();
    const at = tabs.findIndex(([t]) => t === value);
    const [to] = tabs[(at + by + tabs.length) % tabs.length];
    onChange(to);
    document.getElementById(`${id}-${to}`)?.focus();
  };
  const [, , body] = tabs.find(([t]) => t === value) ?? tabs[0];
  return html`<div>
    <div class="tabs" role="tablist" aria-label=${label} onKeyDown=${move}>${tabs.map(([t, text]) => html`
      <button type="button" role="tab" key=${t} id=${`${id}-${t}`} aria-controls=${`${id}-panel`} aria-selected=${t === value ? "true" : "false"}
        tabindex=${t === value ? 0 : -1} onClick=${() => onChange(t)}>${text}</button>`)}</div>
    <div role="tabpanel" id=${`${id}-panel`} aria-labelledby=${`${id}-${value}`}>${body()}</div>
  </div>`;
}

// Table: columns are {title, number?, class?, cell(row, place)}; rows are anything, keyed by their place. stacks makes it readable on a phone.
export function Table({ caption, columns, rows, empty = "nothing here", row = () => ({}), stacks = false }) {
  return html`<div class=${"table-box" + (stacks ? " stacks" : "")} tabindex="0" role="region" aria-label=${caption}><table>
    <caption class="away">${caption}</caption>
    <thead><tr>${columns.map((c) => html`<th scope="col" class=${c.number ? "number" : ""}>${c.title}</th>`)}</tr></thead>
    <tbody>${rows.map((r, i) => html`<tr key=${i} ...${row(r)}>${columns.map((c) => html`<td class=${c.number ? "number" : c.class ?? ""} data-title=${stacks ? c.title : undefined}>${c.cell(r, i)}</td>`)}</tr>`)}
    ${rows.length === 0 && html`<tr><td class="empty" colspan=${columns.length}>${empty}</td></tr>`}</tbody>
  </table></div>`;
}

// Dialog is modal while it is there; Escape and the cross call onClose.
export function Dialog({ title, onClose, children }) {
  const ref = useRef(null), gone = useRef(false);
  const id = useId("dialog");
  useLayoutEffect(() => { // before anything is drawn: a key that is pressed at once finds it open
    const dialog = ref.current;
    dialog.showModal();
    return () => {
      gone.current = true;
      dialog.close(); // which gives the focus back
    };
  }, []);
  // A browser may close it without asking, as on a second Escape; it always says so afterwards, even of our own closing.
  const closed = () => { if (!gone.current) onClose(); };
  return html`<dialog ref=${ref} aria-labelledby=${id} onClose=${closed}>
    <header class="card-head"><h2 id=${id}>${title}</h2><button type="button" class="cross" aria-label="close" onClick=${onClose}>×</button></header>
    ${children}
  </dialog>`;
}

// Value shows bytes as text, hex or JSON; what suits them first.
export function Value({ bytes }) {
  const json = jsonOf(bytes), text = textOf(bytes);
  const [as, set] = useState("");
  const best = text === null || !plainly(text.replaceAll("\r\n", "\n")) ? "hex" : json !== null && /^\s*[[{]/.test(text) ? "json" : "text";
  const now = as === "json" && json === null || as === "text" && text === null ? best : as || best;
  const options = [["text", "Text"], ["hex", "Hex"], ["json", "JSON"]].filter(([v]) => v === "hex" || (v === "json" ? json : text) !== null);
  const body = now === "json" ? json : now === "text" ? text : hexDump(bytes);
  return html`<div class="value">
    <div class="row spread"><${Choice} label="how the value is shown" options=${options} value=${now} onChange=${set} /><span class="soft">${size(bytes.length)}</span></div>
    <pre tabindex="0" data-value>${bytes.length === 0 ? html`<span class="soft">(empty)</span>` : body.length > 65536 ? body.slice(0, 65536) + "\n…" : body}</pre>
  </div>`;
}

// Progress is a bar: done of total, or one that only says that something goes on when the total is not known.
export function Progress({ label, done, total }) {
  const known = total > 0;
  return html`<div class="progress"><div class="row spread"><span>${label}</span><span class="soft">${known ? Math.min(100, Math.floor(100 * done / total)) + " %" : done ? count(done) : ""}</span></div>
    <progress aria-label=${label} ...${known ? { value: Math.min(done, total), max: total } : {}}></progress></div>`;
}

// Problem shows a failure, with its code; nothing when there is none.
export function Problem({ error }) {
  if (!error) return null;
  return html`<p class="problem" role="alert"><strong>${(error.code ?? "error").replaceAll("_", " ")}</strong> ${error.message}${error.code === "failed" && html` <a href="#/ops">To Resume, under Ops</a>`}</p>`;
}

// Stat is a number with its name.
export function Stat({ label, value, note }) {
  return html`<div class="stat"><span class="soft">${label}</span><strong>${value}</strong>${note && html`<span class="hint">${note}</span>`}</div>`;
}

// useTask runs one thing at a time: [run, {busy, error, result}]. A failure is kept to be shown, not thrown.
export function useTask() {
  const [state, set] = useState({ busy: false, error: null, result: null });
  const latest = useRef(0);
  const run = async (task) => {
    const turn = ++latest.current;
    set((s) => ({ ...s, busy: true, error: null }));
    try {
      const result = await task();
      if (turn === latest.current) set({ busy: false, error: null, result });
      return result;
    } catch (error) {
      if (turn === latest.current) set({ busy: false, error, result: null });
      return undefined;
    }
  };
  return [run, state, set];
}

// useNow renders anew every so many milliseconds while it is on, and returns the time.
export function useNow(every, on = true) {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    if (!on) return undefined;
    const timer = setInterval(() => set(Date.now()), every);
    return () => clearInterval(timer);
  }, [every, on]);
  return now;
}

// color is what a custom property comes to at present: for canvases, which cannot use it by name.
export function color(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

// still says that the user wants no motion.
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

const ears = new Set();
// say shows a short message at the foot of the page: kind is "good", "bad" or nothing.
export function say(text, kind = "") {
  for (const f of ears) f({ text, kind, at: Date.now() });
}

// Toast is where say speaks. There is one, in the frame.
export function Toast() {
  const [message, set] = useState(null);
  useEffect(() => {
    ears.add(set);
    return () => ears.delete(set);
  }, []);
  useEffect(() => {
    if (!message) return undefined;
    const timer = setTimeout(() => set(null), 5000);
    return () => clearTimeout(timer);
  }, [message]);
  return html`<div class="toast-place" role="status" aria-live="polite">${message && html`<div class=${"toast " + message.kind}>${message.text}</div>`}</div>`;
}
