// REST: one object for each base address, "" for this store and "/classroom" for the classroom's.
//
//	const api = connect("");
//	const {seq, value} = await api.get(utf8("a"));
//
// Every failure is a Failure with the code and the message that the server gave. Keys and values are Uint8Arrays.

import { bytesOf, fieldOf, hexOf, textOf } from "./format.js";

export class Failure extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const tokenKey = "tinykv.token";
let memory = ""; // where session storage is refused
let asking = null; // the one question that is open, a promise
let ask = async () => "";

// onToken sets who is asked for a token when the server wants one: a function that promises it, "" for none.
export const onToken = (f) => { ask = f; };

export function token() {
  try {
    return sessionStorage.getItem(tokenKey) ?? memory;
  } catch {
    return memory;
  }
}

function setToken(t) {
  memory = t;
  try {
    sessionStorage.setItem(tokenKey, t);
  } catch { /* it stays in memory */ }
}

async function newToken(refused) {
  asking ??= ask(refused).finally(() => { asking = null; });
  const t = await asking;
  if (t && t !== token()) {
    setToken(t);
    dispatchEvent(new Event("tokenchange")); // connections are opened anew with it
  }
  return t;
}

// changeToken asks for another token, which may allow more.
export const changeToken = () => newToken(false);

// keyPath is a key as the last part of a path. What is not plainly safe there goes as hex digits.
export function keyPath(key) {
  const text = textOf(key);
  if (text !== null && /^[\w\-:.~@]+$/.test(text) && text !== "." && text !== "..") return [text, {}];
  return [hexOf(key), { encoding: "hex" }];
}

// query is a query string without what is undefined, empty or false. Byte arrays go as hex digits, all of them.
export function query(params) {
  const q = new URLSearchParams();
  const binary = Object.values(params).some((v) => v instanceof Uint8Array && v.length > 0);
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === null || value === "" || value === false) continue;
    if (value instanceof Uint8Array) {
      if (value.length > 0) q.set(name, hexOf(value));
    } else {
      q.set(name, String(value));
    }
  }
  if (binary) q.set("encoding", "hex");
  const s = q.toString();
  return s ? "?" + s : "";
}

async function failureOf(response) {
  let code = "internal", message = `${response.status} ${response.statusText}`;
  try {
    const body = await response.json();
    if (body.error) ({ code, message } = body.error);
  } catch { /* no JSON: the status says it */ }
  return new Failure(response.status, code, message);
}

const seqOf = (response) => Number((response.headers.get("ETag") ?? "").replace(/[^\d]/g, "")) || 0;

function conditions({ absent, seq }) {
  if (absent) return { "If-None-Match": "*" };
  return seq ? { "If-Match": `"${seq}"` } : {};
}

export function connect(base) {
  // send returns the response to a request that succeeded. On 401 the token is asked for, until it is right or none is given.
  async function send(method, path, { headers = {}, body, signal } = {}) {
    for (;;) {
      const used = token();
      const all = used ? { ...headers, Authorization: "Bearer " + used } : headers;
      let response;
      try {
        response = await fetch(base + path, { method, headers: all, body, signal, cache: "no-store" });
      } catch (e) {
        if (e.name === "AbortError") throw e;
        throw new Failure(0, "unreachable", "the server does not answer; is it running?");
      }
      if (response.ok) return response;
      if (response.status !== 401) throw await failureOf(response);
      if (used === token() && !await newToken(used !== "")) throw await failureOf(response);
    }
  }

  const json = async (method, path, value, signal) => {
    const options = value === undefined ? { signal } : { signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
    const response = await send(method, path, options);
    return response.status === 204 ? null : response.json();
  };

  // path is the address of a key below prefix: "" or a transaction's.
  const path = (prefix, key, params) => {
    const [name, encoding] = keyPath(key);
    return `/v1/${prefix}keys/${name}${query({ ...params, ...encoding })}`;
  };

  return {
    base,
    send,
    json,
    path,
    info: () => json("GET", "/v1/info"),
    stats: () => json("GET", "/v1/stats"),

    // get returns {key, value, seq, expiresAt: Date | null}; a Failure with code not_found when there is none.
    async get(key, { bucket, transaction = "" } = {}) {
      const response = await send("GET", path(transaction, key, { bucket }));
      const expires = response.headers.get("Tinykv-Expires-At");
      return { key, value: new Uint8Array(await response.arrayBuffer()), seq: seqOf(response), expiresAt: expires ? new Date(expires) : null };
    },

    // put returns the version of what it wrote. Options: bucket, ttl as "30s", sync, and as condition absent or seq.
    async put(key, value, { bucket, ttl, expiresAt, sync, transaction = "", ...condition } = {}) {
      const params = { bucket, ttl, sync, expires_at: expiresAt?.toISOString() };
      return seqOf(await send("PUT", path(transaction, key, params), { body: value, headers: conditions(condition) }));
    },

    async delete(key, { bucket, sync, transaction = "", ...condition } = {}) {
      await send("DELETE", path(transaction, key, { bucket, sync }), { headers: conditions(condition) });
    },

    // range returns {items: [{key, value, seq, expiresAt}], next, scanned}; the values are null with keys_only.
    async range(params, signal) {
      const page = await json("GET", "/v1/range" + query(params), undefined, signal);
      return { ...page, items: (page.items ?? []).map(itemOf) };
    },

    count: async (params) => (await json("GET", "/v1/count" + query(params))).count,
    deleteRange: (params) => json("DELETE", "/v1/range" + query(params)),
    batch: (ops, bucket) => json("POST", "/v1/batch" + query({ bucket }), { ops }),

    // lines calls each with every line of a stream of JSON lines, and returns the last one.
    async lines(method, address, { signal, body, headers, each = () => {} } = {}) {
      const response = await send(method, address, { signal, body, headers: { ...(body === undefined && method === "POST" ? { "Content-Type": "application/json" } : {}), ...headers } });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "", last = null;
      for (;;) {
        const { value, done } = await reader.read();
        const parts = (rest + (value ?? "")).split("\n");
        rest = done ? "" : parts.pop();
        for (const line of parts) {
          if (!line.trim()) continue;
          last = JSON.parse(line);
          each(last);
        }
        if (done) return last;
      }
    },
  };
}

// itemOf is an item of an answer. bytes is how long its value is when that was left out because it is larger than a page; the value is null then.
export function itemOf(item) {
  return {
    key: bytesOf(item, "key"), value: bytesOf(item, "value"), bytes: item.value_bytes, seq: item.seq ?? 0,
    expiresAt: item.expires_at ? new Date(item.expires_at) : null,
  };
}

// opOf is one operation of a batch as the API wants it.
export const opOf = (op, key, value, more = {}) => ({ op, ...fieldOf("key", key), ...(value ? fieldOf("value", value) : {}), ...more });
