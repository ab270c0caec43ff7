// The reasons: bars that lead from the average to this runner's risk, by driver; then what to measure next.

import { capital, h, points } from "./dom.js";
import { focus } from "./form.js";
import { LINKS } from "./model.js";

const SMALL = 0.05; // percentage points: less is shown as nothing
const NEXT = 3;

export function drawReasons(home, answer, { tables }) {
  home.hidden = !answer.risk;
  if (!answer.risk) return;
  const start = 100 * LINKS[answer.risk.link].inverse(answer.risk.base_margin);
  const known = answer.reasons.filter((reason) => reason.value !== null);
  const shown = known.filter((reason) => Math.abs(reason.percentage_points) >= SMALL);
  const groups = grouped(tables, shown);
  const [axis, rows] = stacked(start, groups, 100 * answer.risk.probability);
  home.replaceChildren(
    h("h2", {}, "What makes up this risk"),
    h("div", { class: "bars" },
      total("Average of all runners", start, axis),
      rows, rest(known, shown),
      total("This runner", 100 * answer.risk.probability, axis)),
    h("p", { class: "hint" }, "Percentage points, which add up from the first bar to the last. Reasons are associations, not causes. What was not measured is no reason."));
}

function grouped(tables, reasons) {
  const driver = new Map(tables.fields.map((field) => [field.name, field.driver]));
  const sum = (list) => list.reduce((total, reason) => total + reason.percentage_points, 0);
  return tables.drivers
    .map((name) => ({ name, own: reasons.filter((reason) => driver.get(reason.field) === name) }))
    .filter(({ own }) => own.length)
    .map((group) => ({ ...group, sum: sum(group.own) }))
    .sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
}

function stacked(start, groups, end) {
  const steps = [start, end];
  let at = start;
  for (const reason of groups.flatMap((group) => group.own)) steps.push((at += reason.percentage_points));
  const axis = { from: 0, to: 1.02 * Math.max(...steps) };
  at = start;
  const rows = groups.map(({ name, own, sum }) => h("div", { class: "driver", role: "group", "aria-label": capital(name) },
    h("p", { class: "driver-name" }, capital(name), h("span", {}, points(sum))),
    h("ul", {}, own.map((reason) => {
      const from = at;
      at += reason.percentage_points;
      return bar(said(reason), points(reason.percentage_points), from, at, axis);
    }))));
  return [axis, rows];
}

// The service's words without the number that stands beside the bar; a number and its unit stay on one line.
const said = ({ text }) => text.slice(0, text.lastIndexOf(" (")).replace(/(\d) (\S+)$/, "$1\u00a0$2");

function bar(label, number, from, to, { from: low, to: high }) {
  const left = (100 * (Math.min(from, to) - low)) / (high - low);
  const style = { left: `${left}%`, width: `${Math.max((100 * Math.abs(to - from)) / (high - low), 0.4)}%` };
  return h("li", { class: `bar ${to > from ? "up" : "down"}` }, h("span", {}, label), h("span", { class: "track" }, h("i", { style })),
    h("span", { class: "number" }, number));
}

function total(label, value, axis) {
  const style = { left: "0%", width: `${(100 * (value - axis.from)) / (axis.to - axis.from)}%` };
  return h("div", { class: "bar total" }, h("span", {}, label), h("span", { class: "track" }, h("i", { style })),
    h("span", { class: "number" }, `${value.toFixed(1)}\u00a0%`));
}

function rest(known, shown) {
  const names = known.filter((reason) => !shown.includes(reason)).map((reason) => reason.label.toLowerCase());
  return names.length > 0 && h("p", { class: "none" }, `Next to nothing here: ${names.join(", ")}.`);
}

export function drawMeasure(home, answer) {
  const found = answer.measure_next.slice(0, NEXT).filter((each) => each.gain >= SMALL);
  home.hidden = !answer.risk || !found.length;
  if (home.hidden) return;
  const most = Math.max(...found.map((each) => each.gain));
  home.replaceChildren(
    h("h2", {}, "What to measure next"),
    h("ul", { class: "next" }, found.map((each) => h("li", {},
      h("button", { type: "button", class: "link", onclick: () => focus(each.field) }, each.label),
      h("span", { class: "track" }, h("i", { style: { width: `${(100 * each.gain) / most}%` } })),
      h("span", { class: "number" }, `± ${each.gain.toFixed(1)}`)))),
    h("p", { class: "hint" }, "How far the risk would move on average, up or down, in percentage points, once measured."));
}
