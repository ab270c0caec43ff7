// What if: sliders for levers alone, answered in the browser by the released tables as the server would.

import { h, percent, points, span, svg } from "./dom.js";
import { interval, roundUp } from "./scale.js";

const RISK = "Risk";
const ENDS = [0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1];
const LOCKED = "Locked, because they are markers: they tell runners apart, but cannot be changed, or the evidence does not show that " +
  "changing them would change the risk.";

let undone = [];

export function drawWhatIf(home, answer, context) {
  home.hidden = !answer.risk && !answer.pathways;
  if (home.hidden) return;
  const { tables, runner } = context;
  undone = [];
  const asked = { ...runner };
  const levers = tables.fields.filter((field) => field.role === "lever");
  const sliders = levers.map((field) => drawSlider(field, runner, tables, (value, done) => {
    if (done) undone.push({ ...before });
    asked[field.name] = value;
    if (done) before = { ...asked };
    update();
  }));
  let before = { ...asked };
  const result = h("div", { class: "result" });
  const undo = h("button", { type: "button", class: "plain", onclick: () => back(undone.pop()) }, "Undo");
  const reset = h("button", { type: "button", class: "plain", onclick: () => { undone = []; back(runner); } }, "Back to what was entered");
  function back(to) {
    Object.assign(asked, to);
    before = { ...asked };
    for (const slider of sliders) slider.show(asked);
    update();
  }
  function update() {
    drawResult(result, answer, context.model(asked), tables);
    undo.disabled = reset.disabled = levers.every(({ name }) => asked[name] === runner[name]) && !undone.length;
  }
  const origin = tables.trained_on.notice_message.parameters.origin.text;
  home.replaceChildren(
    h("div", { class: "titled" }, h("h2", {}, "What if"), h("div", { class: "buttons" }, undo, reset)),
    h("p", { class: "promise" }, `A model's estimate, not a promise: it learned from ${origin}, and moving one slider leaves all else as it is.`),
    h("div", { class: "trial" }, h("div", { class: "sliders" }, sliders.map((slider) => slider.element)), result),
    drawLocked(tables, runner));
  update();
}

function drawSlider(field, runner, tables, moved) {
  const entered = runner[field.name];
  const id = `w-${field.name}`;
  const { low, high } = tables.reference.fields[field.name];
  const show = (value) => `${value.toFixed(field.decimals)}${field.unit ? ` ${field.unit}` : ""}`;
  if (typeof entered !== "number") {
    return { show() {}, element: h("div", { class: "slider off" }, h("p", { class: "name" }, field.label),
      h("p", { class: "hint" }, "Not measured, so there is nothing to change it from.")) };
  }
  const output = h("output", { for: id });
  const input = h("input", { id, type: "range", min: Math.min(low, entered), max: Math.max(high, entered), step: 10 ** -field.decimals,
    oninput: () => { tell(); moved(Number(input.value), false); },
    onchange: () => moved(Number(input.value), true) });
  const tell = () => {
    const value = Number(input.value);
    output.textContent = show(value);
    input.setAttribute("aria-valuetext", show(value));
  };
  input.value = entered;
  tell();
  const element = h("div", { class: "slider" }, h("label", { class: "name", for: id }, field.label), output, input,
    h("p", { class: "hint" }, `entered: ${show(entered)}`));
  return { element, show: (values) => { input.value = values[field.name]; tell(); } };
}

function drawResult(home, answer, found, tables) {
  const rows = [];
  if (answer.risk) rows.push({ label: RISK, was: answer.risk, now: found.risk });
  for (const [at, each] of (answer.pathways ?? []).entries()) {
    if (each.eligible) rows.push({ label: tables.arms[at].label, was: each, now: found.pathways[at] });
  }
  const axis = { from: 0, to: roundUp(Math.max(...rows.flatMap(({ was, now }) => [was.high, now.high])), ENDS) };
  home.replaceChildren(h("div", { class: "changes", role: "status" }, rows.map(({ label, was, now }) => {
    const moved = 100 * (now.probability - was.probability);
    const turn = label !== RISK ? "" : moved > 0.05 ? "up" : moved < -0.05 ? "down" : "";
    return h("div", { class: "change" },
      h("p", {}, h("span", { class: "name" }, label), h("strong", {}, percent(now.probability)),
        h("span", { class: "range" }, `(${span(now.low, now.high)})`),
        h("span", { class: `moved ${turn}` }, `${points(moved)} points`)),
      h("div", { class: "pair", "aria-hidden": "true" }, interval(was.low, was.probability, was.high, axis, { class: "was" }),
        interval(now.low, now.probability, now.high, axis)));
  })), h("p", { class: "hint" }, "Upper bar: as entered. Lower bar: what if."));
}

function drawLocked(tables, runner) {
  const markers = tables.fields.filter((field) => field.role === "marker" && field.name in runner);
  const value = ({ name, unit }) => (typeof runner[name] === "number" && unit ? `${runner[name]}\u00a0${unit}` : runner[name]);
  return h("div", { class: "locked" }, h("p", { class: "hint" }, LOCKED),
    h("ul", {}, markers.map((field) => h("li", {}, lock(), `${field.label}: ${value(field)}`))));
}

const lock = () => svg("svg", { class: "lock", viewBox: "0 0 10 12", "aria-hidden": "true" },
  svg("path", { d: "M2.5 5V3.5a2.5 2.5 0 0 1 5 0V5M1 5h8v6.5H1z" }));
