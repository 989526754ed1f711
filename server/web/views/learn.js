import { html } from "../lib.js";
import { Card } from "../ui.js";

export function Learn({ store }) {
  return html`<${Card} title="Learn"><p>${store.base || "/"}</p><//>`;
}
