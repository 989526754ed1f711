import { html } from "../lib.js";
import { Card } from "../ui.js";

export function Play({ store }) {
  return html`<${Card} title="Play"><p>${store.base || "/"}</p><//>`;
}
