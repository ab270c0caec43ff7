// For a patient: the pathways side by side, each against usual care, with what is uncertain; and the tests.

import { atLevel, capital, h, inHundred, inHundredMore, points, span } from "./dom.js";
import { interval, people, place } from "./scale.js";

export function drawPathways(home, answer, { tables }) {
  home.hidden = !answer.pathways;
  if (home.hidden) return;
  const { preference, pathways } = answer;
  const reach = Math.max(0.1, ...pathways.flatMap((each) => [Math.abs(each.effect_low ?? 0), Math.abs(each.effect_high ?? 0)]));
  const axis = { from: -Math.ceil(10 * reach) / 10, to: Math.ceil(10 * reach) / 10 };
  home.replaceChildren(
    h("h2", {}, "Pathways side by side"),
    h("p", { class: "hint" }, `Counted, of 100 patients like this one: ${tables.outcomes.success.meaning}`),
    drawVerdict(preference),
    h("div", { class: "arms" }, pathways.map((each) => drawArm(each, preference, axis, tables))),
    h("p", { class: "hint" }, `Dark figures: even at the low end of the ${atLevel(tables.level)}. Outlined figures: only at its high end.`));
}

function drawVerdict({ preferred, text }) {
  if (preferred) return h("div", { class: "verdict found" }, h("p", {}, h("strong", {}, "One pathway is preferred. "), text));
  return h("div", { class: "verdict" }, h("p", {}, h("strong", {}, "No pathway is preferred. "),
    "The model does not know which would help this patient most."), h("p", { class: "hint" }, text));
}

function drawArm(found, { acceptable, preferred }, axis, { arms, reference_arm: usual, outcomes, level }) {
  const arm = arms.find((each) => each.name === found.arm);
  const head = [h("h3", {}, arm.label), h("p", { class: "meaning" }, arm.meaning)];
  if (!found.eligible) {
    return h("article", { class: "arm closed" }, head, h("p", { class: "chip" }, "not eligible"), h("p", { class: "why" }, found.why_not.text));
  }
  const chip = found.arm === preferred ? "preferred" : acceptable.includes(found.arm) ? "acceptable" : "another is better";
  const said = `${arm.label}: ${inHundred(found.probability)}, ${atLevel(level)} ${span(found.low, found.high)}: ${outcomes.success.label}`;
  return h("article", { class: `arm ${chip}` }, head,
    h("p", { class: "chip" }, chip),
    h("div", { class: "chance" },
      people(found.low, found.probability, found.high, said),
      h("div", {}, h("p", { class: "count" }, kept(inHundred(found.probability))),
        h("p", { class: "range" }, `${Math.round(100 * found.low)} to ${Math.round(100 * found.high)}`))),
    found.arm === usual ? h("p", { class: "versus hint" }, "The others are compared with this.") : drawEffect(found, axis, level));
}

// A count and its hundred stay on one line.
const kept = (text) => text.replace("in 100", "in\u00a0100");

function drawEffect({ effect, effect_low: low, effect_high: high }, axis, level) {
  const verdict = low > 0 ? "more than with usual care" : high < 0 ? "fewer than with usual care" : "may be more or fewer than with usual care";
  return h("div", { class: "versus" },
    h("p", {}, h("strong", {}, `${inHundredMore(effect)} in 100`), " ", h("span", { class: "together" }, `(${inHundredMore(low)} to ${inHundredMore(high)})`)),
    h("div", { class: "forest", role: "img", "aria-label": `${points(100 * effect, 0)} percentage points, ` +
      `${atLevel(level)} ${points(100 * low, 0)} to ${points(100 * high, 0)}` },
    h("div", { class: "zero", style: { left: place(0, axis) } }), interval(low, effect, high, axis)),
    h("p", { class: "ends-of" }, h("span", {}, "fewer"), h("span", {}, "more")),
    h("p", { class: "hint" }, verdict));
}

export function drawTests(home, answer) {
  home.hidden = !answer.tests?.length;
  if (home.hidden) return;
  home.replaceChildren(h("h2", {}, "Tests and the picture of runner's knee"),
    h("ul", { class: "tests" }, answer.tests.map((test) => h("li", { class: test.agrees ? "agrees" : "differs" },
      h("span", { class: "tick", "aria-hidden": "true" }, test.agrees ? "✓" : "–"), capital(test.text)))));
}
