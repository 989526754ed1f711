// The stores that the page speaks with: views get one as {base, api, socket}.

import { connect } from "./api.js";
import { Socket } from "./ws.js";

const known = new Map();

// storeAt returns the store at a base address, always the same one.
export function storeAt(base) {
  if (!known.has(base)) known.set(base, { base, api: connect(base), socket: new Socket(base) });
  return known.get(base);
}
