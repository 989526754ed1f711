// Saving as a file what is at an address, however large: the browser writes it to the disk as it comes. A plain link does that, but cannot
// show a token; with one the stream goes through the page, to the disk where the browser lets it, else by way of its memory.

import { token } from "./api.js";

// plain says that a link is enough.
export const plain = () => token() === "";

// save has the answer to a GET written to a file; progress gets how many bytes there are so far. It returns how many there were. The user is
// asked where to, so it must be called by a click.
export async function save(api, path, name, signal, progress) {
  const file = window.showSaveFilePicker ? await window.showSaveFilePicker({ suggestedName: name }) : null;
  const response = await api.send("GET", path, { signal });
  let got = 0;
  const counted = response.body.pipeThrough(new TransformStream({
    transform(part, to) {
      progress(got += part.length);
      to.enqueue(part);
    },
  }));
  if (file) {
    await counted.pipeTo(await file.createWritable(), { signal });
    return got;
  }
  const url = URL.createObjectURL(await new Response(counted).blob());
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return got;
}
