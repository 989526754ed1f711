import { html } from "../lib.js";
import { Card } from "../ui.js";

export function Ops({ store }) {
  return html`<${Card} title="Ops"><p>${store.base || "/"}</p><//>`;
}
