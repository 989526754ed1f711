// Bytes, numbers and times as text, and text as bytes. No state.

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const utf8 = (text) => encoder.encode(text);

// textOf returns the text that bytes are in UTF-8, or null.
export function textOf(bytes) {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

export const hexOf = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

// hexBytes returns the bytes of hex digits, spaces between them allowed; an error says what is wrong.
export function hexBytes(digits) {
  const s = digits.replace(/\s+/g, "");
  if (!/^[0-9a-fA-F]*$/.test(s)) throw new Error("hex digits are 0 to 9 and a to f");
  if (s.length % 2) throw new Error("hex digits come in pairs");
  return Uint8Array.from(s.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function concat(a, b) {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

// indexOf is where bytes contain others, from a place on; -1 if they do not.
export function indexOf(bytes, part, from) {
  for (let at = from; at + part.length <= bytes.length; at++) {
    if (part.every((b, i) => bytes[at + i] === b)) return at;
  }
  return -1;
}

// bytesOf returns the field name of an item as bytes, or null when it has none; see "Bytes in JSON" of the API.
export function bytesOf(item, name) {
  if (typeof item[name] === "string") return utf8(item[name]);
  if (typeof item[name + "_hex"] === "string") return hexBytes(item[name + "_hex"]);
  return null;
}

// fieldOf is the inverse: {key: "a"} or {key_hex: "ff"}.
export function fieldOf(name, bytes) {
  const text = textOf(bytes);
  return text === null ? { [name + "_hex"]: hexOf(bytes) } : { [name]: text };
}

// plainly says that text shows all that is in it: nothing in it is unseen or turns round the order of what is beside it. A line feed and
// a tabulator may be in it; U+FFFD may not, which stands for bytes that are no text.
export const plainly = (text) => !/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff\ufffd]/.test(text);

// shown is a key or a value in one line: text where it is plainly that, else hex; cut after most characters.
export function shown(bytes, most = 120) {
  if (!bytes) return "";
  const head = bytes.length > most * 4 ? bytes.subarray(0, most * 4) : bytes;
  const text = head === bytes ? textOf(bytes) : new TextDecoder().decode(head, { stream: true }); // which leaves out half a character at the end
  const line = text !== null && plainly(text)
    ? text.replaceAll("\n", "↵").replaceAll("\t", "⇥") : "0x" + hexOf(head.subarray(0, most));
  return line.length > most || head !== bytes ? line.slice(0, most).replace(/[\ud800-\udbff]$/, "") + "…" : line;
}

// jsonOf returns the value as indented JSON, or null when it is none. It moves white space alone: numbers that are too long for
// JavaScript, and names that come twice, stay as they are.
export function jsonOf(bytes) {
  const text = textOf(bytes);
  if (text === null || !/^\s*[[{"\-\dtfn]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  let out = "", depth = 0;
  const line = () => "\n" + "  ".repeat(depth);
  for (const [token] of text.matchAll(/"(?:\\.|[^"\\])*"|[{[]\s*[}\]]|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") {
      depth--;
      out += line();
    }
    out += token.length > 1 && "{[".includes(token[0]) ? token[0] + token[token.length - 1] : token;
    if (token === "{" || token === "[" || token === ",") out += line();
    if (token === ":") out += " ";
  }
  return out;
}

// hexDump is the classic table of 16 bytes a line; of the first most bytes.
export function hexDump(bytes, most = 4096) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, most); at += 16) {
    const row = bytes.subarray(at, Math.min(at + 16, most));
    const digits = Array.from(row, (b) => b.toString(16).padStart(2, "0")).join(" ");
    const signs = Array.from(row, (b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : "·")).join("");
    lines.push(at.toString(16).padStart(6, "0") + "  " + digits.padEnd(47) + "  " + signs);
  }
  if (bytes.length > most) lines.push(`… ${count(bytes.length - most)} bytes more`);
  return lines.join("\n");
}

const numbers = new Intl.NumberFormat("en");
export const count = (n) => numbers.format(n);

// size is a number of bytes: 1.5 MiB.
export function size(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (Math.abs(n) >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return (i === 0 || Math.abs(n) >= 100 ? Math.round(n) : n.toFixed(1).replace(/\.0$/, "")) + " " + units[i];
}

// duration is a time in nanoseconds: 12.3 µs.
export function duration(ns) {
  for (const [unit, is] of [["h", 3.6e12], ["min", 6e10], ["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
    if (ns >= is) {
      const n = ns / is;
      return (n >= 100 ? Math.round(n) : n.toFixed(1).replace(/\.0$/, "")) + " " + unit;
    }
  }
  return Math.round(ns) + " ns";
}

// nanos is the inverse for what people type: "30s", "1h30m", "500ms"; a bare number is seconds. NaN for anything else.
export function nanos(text) {
  const s = text.trim();
  if (/^\d+(\.\d+)?$/.test(s)) return Number(s) * 1e9;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+$/.test(s)) return NaN;
  const units = { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12, d: 8.64e13 };
  return [...s.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g)].reduce((sum, [, n, unit]) => sum + Number(n) * units[unit], 0);
}

export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
