// The lessons: text, what the buttons do, a question with its answer. An action gets the classroom's API and a function that tells the
// reader what happened; what it tells comes from the store's answers.

import { html } from "../lib.js";
import { count, size, textOf, utf8 } from "../format.js";
import { opOf } from "../api.js";

const b = (text) => html`<b>${text}</b>`;
const filler = "x".repeat(400);
const some = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;
const tableCount = (stats) => stats.levels.reduce((n, l) => n + (l.tables ?? 0), 0);

// writeUntil writes batches of small values until the numbers say so, or until it has become too much. While a memtable waits for its
// flush it only looks: in slow motion there would soon be more of them than one can see.
async function writeUntil(api, name, over, enough, tell) {
  const before = await api.stats();
  let written = 0, now = before;
  for (let turn = 0; turn < 400; turn++) {
    if (now.sealed_memtables > 0) {
      await new Promise((go) => setTimeout(go, 50));
    } else {
      const ops = Array.from({ length: 20 }, (_, i) => opOf("put", utf8(`${name}/${String((written + i) % over).padStart(5, "0")}`), utf8(`${written + i} ${filler}`)));
      await api.batch(ops);
      written += ops.length;
    }
    now = await api.stats();
    if (enough(before, now)) return { written, before, now };
  }
  tell("That was much, and it has still not come to it: look at the picture and press again.");
  return { written, before, now };
}

async function timed(call) {
  const began = performance.now();
  const result = await call();
  return [result, (performance.now() - began).toFixed(1) + " ms"];
}

const log = {
  name: "Log", title: "1. Everything goes to the log first",
  text: [
    html`Before anything else happens to it, a write is appended to the ${b("write-ahead log")}: one record with a checksum for each batch. In the ordinary run of things a writer waits for nothing else.`,
    html`Unless asked otherwise, tinykv answers once the record is in the hands of the operating system: the process may be killed at any instruction, and the write is still there. Losing power is another matter: for that the record must be ${b("synced")}, which happens by itself within 100 ms, or at once for a write that asks for it.`,
  ],
  look: html`Press ${b("Write a key")} and look at the log: your write is the last of those below it. The line above them says whether it is synced. Then press ${b("Write a key, synced")}, which takes longer, and compare the two times.`,
  actions: [
    ["Write a key", async (api, tell) => {
      const [seq, took] = await timed(() => api.put(utf8("log/plain"), utf8("hello")));
      const stats = await api.stats();
      tell(`Acknowledged as number ${seq} in ${took}, the way from this page and back included.`);
      tell(stats.durable_seq < seq ? `On stable storage so far: up to number ${stats.durable_seq}. The rest follows.` : "It is on stable storage already: the sync came in between.");
    }],
    ["Write a key, synced", async (api, tell) => {
      const [seq, took] = await timed(() => api.put(utf8("log/synced"), utf8("hello"), { sync: true }));
      const stats = await api.stats();
      tell(`Acknowledged as number ${seq} in ${took}: this one waited for the disk.`);
      tell(`On stable storage: up to number ${stats.durable_seq}. One sync covers all that was acknowledged before it.`);
    }],
  ],
  question: "Why not write to the right place in a sorted file at once?",
  answer: "Because that place is somewhere else for each key: every write would read, change and rewrite a page, and a crash in the midst of it would damage what was there. Appending touches nothing old, is one sequential write however many keys it has, and many writers can share one sync. Order comes later, in memory, where it is cheap.",
};

const memtable = {
  name: "Memtable", title: "2. Order is made in memory",
  text: [
    html`The same batch then goes into the ${b("memtable")}, a skip list that is sorted by key. Only then is it visible, and only then acknowledged. Every read looks here first.`,
    html`A memtable that is full is ${b("sealed")}: an empty one and a new log segment take its place at once, and in the background the sealed one is written to a table of level 0. That is a flush.`,
  ],
  look: html`Press ${b("Write out of order")}: the memtable has five more entries. Then press ${b("Fill it")}: it fills up, is sealed while an empty one takes its place, and comes down into L0 as a table.`,
  actions: [
    ["Write out of order", async (api, tell) => {
      const names = ["pear", "fig", "plum", "apple", "quince"];
      for (const name of names) await api.put(utf8("fruit/" + name), utf8(name));
      tell(`Written: ${names.join(", ")}.`);
      const { items } = await api.range({ prefix: utf8("fruit/"), keys_only: true });
      tell(`Read: ${items.map((i) => textOf(i.key).slice(6)).join(", ")}. Nothing was sorted for that.`);
    }],
    ["Fill it", async (api, tell) => {
      const { written, before, now } = await writeUntil(api, "fill", 1e5, (was, is) => is.flushes > was.flushes, tell);
      tell(`${count(written)} writes later a memtable has become a table: flushes ${before.flushes} → ${now.flushes}.`);
      tell(`Memtables now use ${size(now.memtable_bytes)}; tables hold ${size(now.table_bytes)}.`);
    }],
  ],
  question: "What becomes of the log when a memtable has been flushed?",
  answer: "Its segment is not needed any more, since everything in it is in a table. But first the table is synced, then its name in the directory, then the edit of the manifest that adds it; only then is the segment given up, and used again for later writes. A crash between any two of these steps leaves either the log or the table to be read.",
};

const sstable = {
  name: "Table", title: "3. A table is written once", reads: "table/colour",
  text: [
    html`An ${b("SSTable")} is a sorted file: data blocks of about 4 KiB, an index of them, a Bloom filter, properties, a footer. Every part has a checksum that is bound to its place, so that not even a block in the wrong file goes unnoticed.`,
    html`It is made once, synced, and never changed; tinykv maps it into memory and reads it where it lies. So a reader needs no lock, and changing a value means writing a newer one somewhere else. Of all entries of a key, the ${b("newest")} is the one that counts.`,
  ],
  look: html`Press ${b("Write a key into three tables")}: each flush puts a table into L0. Then press ${b("Read")} below the picture: the search ends in the newest that has the key. Press ${b("Delete it, and look again")} and read once more: now it ends in the memtable, at the tombstone.`,
  actions: [
    ["Write a key into three tables", async (api, tell) => {
      for (let i = 1; i <= 3; i++) {
        const seq = await api.put(utf8("table/colour"), utf8(["red", "green", "blue"][i - 1]));
        await api.json("POST", "/v1/flush", {});
        tell(`“${["red", "green", "blue"][i - 1]}” as number ${seq}, then a flush.`);
      }
      const stats = await api.stats();
      tell(`In all there ${tableCount(stats) === 1 ? "is" : "are"} ${some(tableCount(stats), "table")}. Compactions may have merged some already.`);
      tell(`A read says “${textOf((await api.get(utf8("table/colour"))).value)}”.`);
    }],
    ["Delete it, and look again", async (api, tell) => {
      await api.delete(utf8("table/colour"));
      const way = await api.json("GET", "/v1/explain/table%2Fcolour");
      tell(way.kind === "DEL" ? `The newest entry is a tombstone, number ${way.entry_seq}; the read ended there.` : "There is nothing left of it, not even a tombstone.");
    }],
  ],
  question: "A key was deleted. Where is it now?",
  answer: "In the old tables, unchanged. Deleting wrote a tombstone, a newer entry that says “not there”, and a read stops at that. A compaction that meets both drops the old value; the tombstone itself goes when nothing below it can hold the key any more.",
};

const bloom = {
  name: "Filter", title: "4. A filter says no", reads: "seen/0001",
  text: [
    html`A key that is not there could be in any table whose bounds it lies in. Looking into each would be slow, so each table has a ${b("Bloom filter")}: 10 bits for each key. To ask it, the key is hashed; some bits are set or they are not.`,
    html`If one is not set, the key is ${b("certainly not")} in this table. If all are, it is there, or about one time in a hundred it is not: a false positive costs a look in vain, never a wrong answer.`,
  ],
  look: html`Press ${b("Ask for 50 keys that are not there")}, which first makes tables with every second key. When they have come to rest, press ${b("Read")} below the picture: ✕ is a table whose filter says no. Read ${b("seen/0002")}, which is there: ✓.`,
  actions: [
    ["Ask for 50 keys that are not there", async (api, tell) => {
      const had = await api.count({ prefix: utf8("seen/") });
      if (had === 0) {
        await api.batch(Array.from({ length: 500 }, (_, i) => opOf("put", utf8(`seen/${String(i * 2).padStart(4, "0")}`), utf8(filler))));
        await api.json("POST", "/v1/flush", {});
      }
      const verdicts = { no: 0, maybe: 0, wrong: 0 };
      for (let i = 0; i < 50; i++) {
        const way = await api.json("GET", `/v1/explain/seen%2F${String(i * 18 + 1).padStart(4, "0")}`);
        for (const place of way.places ?? []) {
          if (place.filter === "no") verdicts.no++;
          if (place.filter === "maybe") verdicts.maybe++;
          if (place.false_positive) verdicts.wrong++;
        }
      }
      tell(`Filters said “no” ${verdicts.no} times and “perhaps” ${verdicts.maybe} times, of which ${verdicts.wrong} in vain.`);
      tell(verdicts.no ? "Behind each “no” is a table of which not one block was touched." : "No table had these keys within its bounds, or compactions have moved them: press again.");
    }],
    ["Ask for one that is", async (api, tell) => {
      const way = await api.json("GET", "/v1/explain/seen%2F0000");
      const tables = (way.places ?? []).filter((p) => p.filter);
      tell(way.found ? `Found. ${some(tables.length, "filter")} asked; ${size(way.touched_bytes)} were touched.` : "It is not there yet: press the other button first.");
    }],
  ],
  question: "Why can a filter not say “yes”?",
  answer: "Because keys share bits. All bits of a key may be set by others, so set bits prove nothing; one that is not set proves that the key was never added. Fewer collisions cost more bits: 10 bits a key let 1 % pass, 12 let 0.4 %.",
};

const cache = {
  name: "Cache", title: "5. What was read stays at hand", reads: "cached/0123",
  text: [
    html`The last two levels are compressed, which makes most of the data smaller. A read from there decompresses a block, and offers it to the ${b("block cache")}. The cache keeps what is asked for often, not what was asked for last.`,
    html`Blocks of the upper levels are not compressed: they are read in place in the mapped file, and the operating system keeps them in memory. No copy is made, so no cache is needed.`,
  ],
  look: html`Press ${b("Read one key ten times")}: all tables go to the last level, and the cache below them then holds one more block. Then press ${b("Scan past it")}: all keys are read, and the cache holds what it held.`,
  actions: [
    ["Read one key ten times", async (api, tell) => {
      await api.batch(Array.from({ length: 300 }, (_, i) => opOf("put", utf8(`cached/${String(i).padStart(4, "0")}`), utf8("to be or not to be ".repeat(20)))));
      await api.lines("POST", "/v1/compact", { body: "{}" });
      const before = (await api.stats()).cache;
      const key = utf8("cached/0123");
      for (let i = 0; i < 10; i++) await api.get(key);
      const after = (await api.stats()).cache;
      tell(`Everything was compacted to the last level, then one key was read ten times.`);
      tell(after.hits + after.misses > before.hits + before.misses
        ? `The cache was asked ${after.hits + after.misses - before.hits - before.misses} times: ${after.misses - before.misses} misses, then ${after.hits - before.hits} hits. It holds ${size(after.held)} of at most ${size(after.size)}.`
        : "The cache was not asked: this store keeps its blocks uncompressed, or compressing did not pay.");
    }],
    ["Scan past it", async (api, tell) => {
      const before = (await api.stats()).cache;
      const { items } = await api.range({ prefix: utf8("cached/"), limit: 300 });
      const after = (await api.stats()).cache;
      tell(`${items.length} keys were read in order: of their blocks ${after.hits - before.hits} came from the cache; ${after.misses - before.misses} did not, and were not put there. It holds ${size(after.held)}.`);
    }],
  ],
  question: "Why does a scan put nothing into the cache?",
  answer: "It comes by each block once. One large scan would push out everything that others ask for all the time, and would itself not come back for any of it.",
};

const compaction = {
  name: "Compaction", title: "6. Merging, so that reading stays cheap",
  text: [
    html`Tables of level 0 overlap, so a read may have to look into each. A ${b("compaction")} merges some of them with the part of the next level that they overlap. In every level below 0 each key is in one table at most; each level is several times larger than the one above.`,
    html`While it merges, a compaction keeps the newest entry of each key, and drops what nobody can see any more: older values, values that have expired, tombstones with nothing below. So space comes back by itself.`,
  ],
  look: html`Press ${b("Overwrite the same keys")} and watch L0: a table that flickers is being merged; what comes out below is smaller than what went in. Then press ${b("Compact everything")}: one level is left.`,
  actions: [
    ["Overwrite the same keys", async (api, tell) => {
      const { written, before, now } = await writeUntil(api, "again", 200, (was, is) => is.compactions > was.compactions && is.flushes > was.flushes + 1, tell);
      tell(`${count(written)} writes to 200 keys: ${now.flushes - before.flushes} flushes and ${some(now.compactions - before.compactions, "compaction")}.`);
      tell(`For each byte that came in, ${now.write_amplification.toFixed(1)} were written to log and tables.`);
    }],
    ["Compact everything", async (api, tell) => {
      const before = await api.stats();
      await api.lines("POST", "/v1/compact", { body: "{}" });
      const now = await api.stats();
      tell(`Tables: ${tableCount(before)} → ${tableCount(now)}. Bytes in tables: ${size(before.table_bytes)} → ${size(now.table_bytes)}.`);
      tell(`A read looks at ${some(now.read_amplification, "place")} in the worst case; before it was ${before.read_amplification}.`);
    }],
  ],
  question: "What does it cost to keep reads cheap?",
  answer: "Writing each byte several times: once to the log, once in the flush, and again in each level it comes through. That is write amplification. Merging less often makes it smaller, and leaves more places to look at for a read and more that is out of date on the disk. There is no way to have all three small; strategies only choose.",
};

const snapshots = {
  name: "Snapshots", title: "7. Seeing one moment",
  text: [
    html`Every write has a number, in the order of commit. A ${b("snapshot")} is no copy, only such a number: who reads by it passes over everything newer. Compactions keep what an open snapshot can still see.`,
    html`A ${b("transaction")} is a snapshot, its own writes, and a note of all that it read. When it commits, the store looks whether any of that was written to since. If so, nothing of it happens and it is told of the conflict: so what it did is as if it had been alone.`,
  ],
  look: html`Press ${b("Read the past")}: below the log are two writes of one key, and each reader is right for its moment. Then press ${b("Let two collide")}: of what the two wrote, one write comes to the log.`,
  actions: [
    ["Read the past", async (api, tell) => {
      const key = utf8("moment/now");
      await api.put(key, utf8("before"));
      const { id } = await api.json("POST", "/v1/transactions", { writable: false });
      const seq = await api.put(key, utf8("after"));
      const seen = await api.get(key, { transaction: `transactions/${id}/` });
      tell(`Overwritten as number ${seq} while a transaction was open.`);
      tell(`The transaction reads “${textOf(seen.value)}”, everybody else “${textOf((await api.get(key)).value)}”.`);
      await api.json("DELETE", "/v1/transactions/" + id);
    }],
    ["Let two collide", async (api, tell) => {
      const key = utf8("moment/counter");
      await api.put(key, utf8("1"));
      const both = [];
      for (let i = 0; i < 2; i++) both.push(`transactions/${(await api.json("POST", "/v1/transactions", { writable: true })).id}/`);
      for (const transaction of both) await api.get(key, { transaction });
      for (const transaction of both) await api.put(key, utf8("2"), { transaction });
      tell("Two transactions have read 1 and written 2.");
      for (const [i, transaction] of both.entries()) {
        try {
          await api.json("POST", `/v1/${transaction}commit`, {});
          tell(`${i ? "Second" : "First"}: committed.`);
        } catch (e) {
          if (e.status !== 409) throw e;
          tell(`${i ? "Second" : "First"}: refused: ${e.message}`);
        }
      }
    }],
  ],
  question: "Why is it costly to leave a snapshot open for hours?",
  answer: "It costs nothing while it lies there. But compactions must keep for it every value that has been overwritten or deleted since, so the store grows, and reads pass over more. The numbers name the oldest one that is open and for how long, so that it can be found.",
};

const crash = {
  name: "Crash", title: "8. Pull the plug", plug: true,
  look: html`Press ${b("Write without end")} and see the log and the memtables fill. Press ${b("Pull the plug")} whenever you like: what was in the memtables is gone, and comes back out of the log as a table; ${b("What it did")} begins anew and says how many records it found.`,
  text: [
    html`The classroom is a process of its own. Here this page writes numbered keys to it as fast as it gets answers, and counts what was ${b("acknowledged")}. The plug kills that process with SIGKILL, in the midst of whatever it is doing, and starts it again.`,
    html`To open again, the store reads the manifest, replays the log into tables, and serves. What it finds is a prefix of what was committed, batches whole. Then every key that was acknowledged is looked for.`,
  ],
  question: "What may be found that was not acknowledged?",
  answer: "The write that was under way: its record may have been in the log when the process died, with no time left to answer. It is there whole or not at all, and the same at every later opening. So a client that got no answer asks, or writes the same again.",
};

export const lessons = [log, memtable, sstable, bloom, cache, compaction, snapshots, crash];
