// The model card: Markdown from GET /card, as headings, paragraphs, lists and tables.

import { json, ask } from "./api.js";
import { $, h } from "./dom.js";

let drawn = false;

export async function openCard() {
  if (drawn) return;
  drawn = true;
  try {
    const [text, about] = [await (await ask("/card")).text(), await json("/about")];
    $("card").replaceChildren(...render(text), h("p", { class: "hint" }, `pfps-ml ${about.version}, released ${about.created ?? ""}`));
  } catch (error) {
    drawn = false;
    $("card").replaceChildren(h("p", { class: "problem", role: "alert" }, error.message));
  }
}

export function render(text) {
  const blocks = text.trim().split(/\n{2,}/).map((block) => block.split("\n"));
  return blocks.flatMap((lines) => {
    if (lines[0].startsWith("#")) {
      const [, marks, title] = lines[0].match(/^(#+) (.*)/);
      const rest = lines.slice(1);
      return [h(`h${Math.min(marks.length + 1, 4)}`, {}, title), ...(rest.length ? render(rest.join("\n")) : [])];
    }
    if (lines[0].startsWith("|")) return [table(lines)];
    if (lines[0].startsWith("- ")) return [h("ul", {}, lines.map((line) => h("li", {}, inline(line.replace(/^- /, "")))))];
    return [h("p", {}, inline(lines.join(" ")))];
  });
}

function table(lines) {
  const [head, , ...body] = lines.map((line) => line.replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim()));
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `Table: ${head.join(", ")}` }, h("table", {},
    h("thead", {}, h("tr", {}, head.map((cell) => h("th", { scope: "col" }, cell)))),
    h("tbody", {}, body.map((row) => h("tr", {}, row.map((cell) => h("td", {}, inline(cell))))))));
}

function inline(text) {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`)/).map((part) =>
    part.startsWith("**") ? h("strong", {}, part.slice(2, -2)) : part.startsWith("`") ? h("code", {}, part.slice(1, -1)) : part);
}
