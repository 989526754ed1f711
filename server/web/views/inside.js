import { html } from "../lib.js";
import { Card } from "../ui.js";

export function Inside({ store }) {
  return html`<${Card} title="Inside"><p>${store.base || "/"}</p><//>`;
}
