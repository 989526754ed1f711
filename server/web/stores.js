// The stores that the page speaks with: views get one as {base, api, socket}.

import { connect } from "./api.js";
import { Socket } from "./ws.js";

const known = new Map();

// renewAll has all connections opened anew, with the token as it is now.
export function renewAll() {
  for (const { socket } of known.values()) socket.renew();
}

// storeAt returns the store at a base address, always the same one.
export function storeAt(base) {
  if (!known.has(base)) known.set(base, { base, api: connect(base), socket: new Socket(base) });
  return known.get(base);
}
