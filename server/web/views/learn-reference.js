// What does not fit a lesson: costs, trade-offs, consistency, and how others differ.

import { html } from "../lib.js";
import { Card, Table } from "../ui.js";

const tableOf = (caption, titles, rows) => html`<${Table} stacks=${true} caption=${caption} rows=${rows}
  columns=${titles.map((title, i) => ({ title, cell: (row) => (i === 0 ? html`<b>${row[0]}</b>` : row[i]) }))} />`;

export function Costs() {
  return html`<${Card} title="What an operation costs">
    <p class="soft">n is the number of keys, m those in a memtable, t the tables of level 0, L the levels below, k the keys that a scan yields.</p>
    ${tableOf("costs", ["Operation", "In memory", "Blocks read", "Remarks"], [
      ["Put, Delete", "O(log m)", "none", "one append to the log; the rest is background work, of the order of the level ratio times L for each byte"],
      ["Batch of b", "O(b log m)", "none", "one append, one number in the order of commit for each operation, visible at one instant"],
      ["Get, present", "a hash look-up in each memtable, a filter for each table passed", "1, and 1 % of each table passed", "newest place first; ends where the key is found"],
      ["Get, absent", "as above, t + L filters", "about 0.01 × (t + L)", "filters keep it from touching tables"],
      ["Scan of k", "O(log n) to begin, then O(log (t + L)) a key", "k over keys in a block", "one merged cursor over every place"],
      ["DeleteRange", "O(log m)", "none", "one range tombstone, however many keys; whole tables under it are dropped"],
      ["Count", "as a scan without values", "all in the range", "exact, since entries in several places count once"],
      ["Snapshot", "O(1)", "none", "a number; the space is paid by compactions that keep what it sees"],
      ["Commit", "O(what was read)", "usually none", "is anything that was read newer than the snapshot?"],
      ["Open after a crash", "O(log since the last flush)", "that part of the log, footers of tables", "no flag, no operator"],
    ])}<//>`;
}

export function TradeOffs() {
  return html`<div class="stack"><${Card} title="Three costs, of which one can lower two">
    <p>Read amplification is how many places a read looks at. Write amplification is how many bytes are written for each that comes in. Space amplification is how much larger the files are than the live data. Whoever merges more often reads less and stores less, but writes more.</p>
    ${tableOf("strategies", ["Strategy", "Reads", "Writes", "Space", "Suits"], [
      ["Leveled (tinykv)", "few places", "each byte several times a level, ten at worst", "about 1.1 times", "most stores: reads, updates, little spare disk"],
      ["Tiered", "more places", "each byte once a level", "up to twice or more", "filling, logs of events, keys seldom overwritten"],
      ["FIFO", "all tables", "once", "bounded by a limit: oldest go", "data that is only worth something while new"],
    ])}<//>
    <${Card} title="What to turn">
    ${tableOf("options", ["Option", "More of it", "Costs"], [
      ["MemTableSize", "fewer, larger flushes; less compaction", "memory, slower insertion, longer recovery"],
      ["BloomBitsPerKey", "fewer looks in vain: 10 bits 1 %, 12 bits 0.4 %", "memory and disk, a byte and more for each key"],
      ["BlockSize", "smaller index, better compression", "a point read decompresses and verifies more"],
      ["CacheSize", "fewer decompressions in the last two levels", "memory; what the system could use for files"],
      ["Compression", "none, S2, zstd: smaller files", "time in compactions, and in reads that miss the cache"],
      ["Durability", "synced: survives loss of power at once", "a sync for each group of writes, where 100 ms late costs almost nothing"],
    ])}<//></div>`;
}

export function Consistency() {
  return html`<div class="stack"><${Card} title="What is promised">
    ${tableOf("promises", ["Question", "Answer"], [
      ["Does a read see the last write?", "Yes: every write that was acknowledged before it began, from any thread or connection. Single keys are linearizable."],
      ["Does a batch show in part?", "Never, neither to a reader nor after a crash."],
      ["Are transactions serializable?", "Yes. Lost updates, write skew and phantoms are refused with a conflict. One that only reads never conflicts."],
      ["Is it there after a kill?", "Yes, everything that was acknowledged."],
      ["And after loss of power?", "Everything that was synced; of the rest a prefix, at most 100 ms short by default."],
      ["And when bytes rot?", "An error that names file and offset; never a wrong value, never a key that is silently missing."],
    ])}<//>
    <${Card} title="And CAP?">
    <p>The CAP theorem is about a store on several machines: when the network between them is cut, each part must either refuse to answer, to stay consistent, or answer, and perhaps be out of date. A store in one process has no such network. tinykv is consistent; it is available while its process and its disk are.</p>
    <p>The choice comes back with replicas. A copy that follows the changes, as by watching them, is behind by some moments: reading there is available and possibly old. Copies that agree on every write before it is acknowledged, as with Raft in etcd, stay consistent, and the smaller part of a network that is cut stops. PACELC adds what holds on good days too: waiting for other machines costs time.</p><//></div>`;
}

export function Comparison() {
  return html`<${Card} title="How others differ">
    <p class="soft">As they are by default. Each is the right one for something.</p>
    ${tableOf("stores", ["Store", "Runs as", "Holds data in", "Order and ranges", "Transactions", "After a kill", "Choose it for"], [
      ["tinykv", "library in Go; server beside", "LSM tree", "yes, both ways", "optimistic, serializable", "all that was acknowledged", "an embedded ordered store in Go that one can watch"],
      ["RocksDB", "library in C++", "LSM tree", "yes, both ways", "pessimistic or optimistic", "all that was acknowledged (log written to the system)", "the most options, very large stores, many languages"],
      ["LevelDB", "library in C++", "LSM tree", "yes, both ways", "batches and snapshots only", "all that was acknowledged (log written to the system)", "small, old, everywhere"],
      ["Redis", "server, in memory", "hash tables and many structures", "only in sorted sets", "MULTI: in one go, no rollback; WATCH", "what the last snapshot has; with its append-only file all but at most some two seconds", "shared caches, queues, counters at memory speed"],
      ["Memcached", "server, in memory", "hash table; what was not used for long goes", "no", "compare and swap of one key", "nothing", "a cache and nothing else"],
      ["etcd", "cluster with Raft", "B+ tree (bbolt), all versions", "yes", "compare, then, else", "all that was acknowledged, synced on most machines", "configuration and locks that several machines agree on"],
      ["DynamoDB", "service in the cloud", "partitions by hash, B-trees, three copies", "within a partition", "up to 100 items", "all that was acknowledged, on two of three copies", "any size without machines of one's own"],
    ])}<//>`;
}
