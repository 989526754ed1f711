import { html } from "../lib.js";
import { Card } from "../ui.js";

export function Data({ store }) {
  return html`<${Card} title="Data"><p>${store.base || "/"}</p><//>`;
}
