import { html } from "../lib.js";
import { Card } from "../ui.js";

export function Live({ store }) {
  return html`<${Card} title="Live"><p>${store.base || "/"}</p><//>`;
}
