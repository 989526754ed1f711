// Keys as a tree: what keys have in common up to a separator is a folder. Folders are no thing of the store, which knows keys in order alone;
// so they are found by seeking: behind each, the next key begins either the next folder or is a key of this level.

import { concat, indexOf } from "../format.js";

const most = 200; // requests for one page of the tree

// level returns {items, next}: of the keys with a prefix those without a further separator, as a range gives them, and {folder, key} for each
// folder, whose key is the prefix of all in it. It begins at from, where a page before it had its next.
export async function level(api, { prefix, separator, bucket, limit, from }) {
  const upper = behind(prefix);
  const items = [];
  let lower = from ?? prefix, ask = limit;
  for (let i = 0; i < most && items.length < limit; i++) {
    const page = await api.range({ lower, upper, bucket, limit: ask });
    let folder = null, keys = 0;
    for (const item of page.items) {
      if (folder && indexOf(item.key.subarray(0, folder.length), folder, 0) === 0) continue;
      if (items.length === limit) return { items, next: item.key };
      const end = indexOf(item.key, separator, prefix.length);
      folder = end < 0 ? null : item.key.slice(0, end + separator.length);
      items.push(folder ? { folder: true, key: folder } : item);
      if (!folder) keys++;
    }
    if (!page.next) return { items };
    lower = folder ? behind(folder) : concat(page.items[page.items.length - 1].key, Uint8Array.of(0));
    if (!lower) return { items };
    ask = keys > 0 ? limit : 1; // where there are but folders, more than one key would be read for nothing
  }
  return { items, next: lower };
}

// behind is the least key that is greater than all with a prefix; undefined when there is none.
export function behind(prefix) {
  let n = prefix.length;
  while (n > 0 && prefix[n - 1] === 0xff) n--;
  if (n === 0) return undefined;
  const next = prefix.slice(0, n);
  next[n - 1]++;
  return next;
}

// trail is a prefix and the folders that it lies in, the outermost first, each as its prefix.
export function trail(prefix, separator) {
  const all = [new Uint8Array()];
  for (let at = indexOf(prefix, separator, 0); at >= 0; at = indexOf(prefix, separator, at + separator.length)) all.push(prefix.slice(0, at + separator.length));
  if (all[all.length - 1].length < prefix.length) all.push(prefix);
  return all;
}
