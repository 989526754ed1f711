// Parts that know the API: more than ui.js may.

import { html, useEffect, useRef, useState } from "./lib.js";
import { Field } from "./ui.js";

export const allBuckets = "\u0000"; // no name of a bucket: all of them

// BucketChoice offers the buckets of a store; "" is outside of buckets, and where there is a text for all, allBuckets is everything. Nothing is
// shown while there are none.
export function BucketChoice({ store, value, onChange, all = "" }) {
  const [names, set] = useState([]);
  const gone = useRef(false);
  const ask = () => store.api.json("GET", "/v1/buckets").then((answer) => {
    if (!gone.current) set((answer.buckets ?? answer ?? []).map((b) => b.name ?? b));
  }, () => {});
  useEffect(() => {
    gone.current = false;
    ask();
    return () => { gone.current = true; };
  }, [store]);
  useReturn(store, ask);
  useEffect(() => { if (!all && value === allBuckets) onChange(""); }, [all]); // it cannot be chosen any more
  if (names.length === 0 && !all) return null;
  return html`<${Field} label="Bucket">${(id) => html`<select id=${id} value=${value} onChange=${(e) => onChange(e.target.value)}>
    <option value="">(outside of buckets)</option>${all && html`<option value=${allBuckets}>${all}</option>`}${names.map((n) => html`<option key=${n} value=${n}>${n}</option>`)}
  </select>`}<//>`;
}

// useReturn calls f when the connection with the server is there again after it was lost, so that a view shows what is true now.
export function useReturn(store, f) {
  const latest = useRef(f);
  latest.current = f;
  useEffect(() => {
    let lost = false;
    return store.socket.onState((state) => {
      if (state === "open" && lost) latest.current();
      if (state !== "connecting") lost = state === "lost";
    });
  }, [store]);
}

// useLost says whether the server has been away for longer than one would notice.
export function useLost(store) {
  const [lost, set] = useState(false);
  useEffect(() => {
    let timer = 0;
    const stop = store.socket.onState((state) => {
      if (state !== "lost") {
        clearTimeout(timer);
        timer = 0;
        set(false);
      } else if (timer === 0) timer = setTimeout(() => set(true), 1000);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [store]);
  return lost;
}

// Ring is a circle that empties until a moment in time; total is its length when full, in milliseconds.
export function Ring({ until, total, now }) {
  const left = Math.max(0, until - now);
  const around = 2 * Math.PI * 17;
  const text = left >= 86_400_000 ? Math.round(left / 86_400_000) + "d" : left >= 3_600_000 ? Math.round(left / 3_600_000) + "h"
    : left >= 60_000 ? Math.round(left / 60_000) + "m" : Math.ceil(left / 1000) + "s";
  return html`<svg class="ring" viewBox="0 0 42 42" width="42" height="42" role="img" aria-label=${left ? `expires in ${text}` : "expired"} data-ring=${Math.ceil(left / 1000)}>
    <circle cx="21" cy="21" r="17" class="ring-ground" />
    <circle cx="21" cy="21" r="17" class="ring-left" stroke-dasharray=${around} stroke-dashoffset=${around * (1 - Math.min(1, left / Math.max(1, total)))} transform="rotate(-90 21 21)" />
    <text x="21" y="25" text-anchor="middle">${left ? text : "–"}</text>
  </svg>`;
}
