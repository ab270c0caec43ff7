// The risk: a number, a hundred people, and a scale with the average runner of that age and sex.

import { atLevel, h, inHundred, percent, span } from "./dom.js";
import { peers } from "./model.js";
import { interval, people, place, roundUp } from "./scale.js";

// The end of the scale, and the step of its marks.
const STEPS = new Map([[0.1, 0.02], [0.2, 0.05], [0.3, 0.1], [0.4, 0.1], [0.6, 0.2], [0.8, 0.2], [1, 0.2]]);
const LETTER = 0.026; // share of the scale, on a phone, that a letter of a band's name takes

export function drawRisk(home, answer, { tables, values }) {
  const { risk } = answer;
  if (answer.withheld.some(({ what }) => what.includes("risk"))) {
    home.replaceChildren(h("h2", {}, tables.outcomes.onset.label), h("p", { class: "unscored" },
      h("strong", {}, "No risk is given. "), "What to do first stands above."));
    return;
  }
  if (!risk) {
    home.replaceChildren(h("h2", {}, tables.outcomes.onset.label), h("p", { class: "unscored" },
      h("strong", {}, "No risk is given. "),
      "It is the risk of a new episode in a runner whose knee is free of pain; this runner has knee pain now. ",
      "A visit is advised: fill in the knee visit to see the pathways."));
    return;
  }
  const { probability, low, high, level, horizon_months: months } = risk;
  const said = `Of 100 runners with these answers, ${inHundred(probability).replace(" in 100", "")} would get runner's knee ` +
    `within ${months} months. It may be as few as ${Math.round(100 * low)} or as many as ${Math.round(100 * high)}.`;
  home.replaceChildren(
    h("h2", {}, tables.outcomes.onset.label),
    h("div", { class: "headline" },
      h("div", { class: "figures" },
        h("p", { class: "big", id: "risk-percent" }, percent(probability)),
        h("p", { class: "hundred" }, inHundred(probability)),
        h("p", { class: `band ${risk.band}` }, h("span", { class: "chip" }, `${risk.band} risk`)),
        h("p", { class: "hint" }, `Uncertain (${atLevel(level)}):`),
        h("ul", { class: "legend" }, h("li", { class: "sure" }, `${percent(low)} at the low end`),
          h("li", { class: "likely" }, `${percent(probability)} the estimate`), h("li", { class: "may" }, `${percent(high)} at the high end`))),
      people(low, probability, high, said)),
    drawScale(risk, peers(tables, values), tables.reference.bands),
    h("p", { class: "said" }, said),
    h("p", { class: "hint" }, bandsSaid(tables.reference.bands)));
}

const bandsSaid = ({ low_below: low, high_from: high }) => `Bands: low below ${percent(low)}, high from ${percent(high)}, moderate between. ` +
  "They are multiples of the average risk of all runners: an assumption.";

function drawScale({ probability, low, high, level, average }, cell, bands) {
  const axis = { from: 0, to: roundUp(Math.max(high, average) * 1.04, [...STEPS.keys()]) };
  const who = `${cell.sex}, ${cell.age_from} to ${cell.age_below - 1}`;
  const mark = (value, kind, text) => h("div", { class: `mark ${kind}`, style: { left: place(value, axis) } }, h("span", {}, text));
  const zones = [["low", 0, bands.low_below], ["moderate", bands.low_below, bands.high_from], ["high", bands.high_from, axis.to]];
  const steps = Array.from({ length: Math.round(axis.to / STEPS.get(axis.to)) + 1 }, (_, at) => at * STEPS.get(axis.to));
  return h("div", { class: "scale", role: "img", "aria-label": `Risk ${percent(probability)}, ${atLevel(level)} ${span(low, high)}; ` +
    `the average runner of that age and sex (${who}) has ${percent(average)}` },
  h("div", { class: "zones" }, zones.map(([name, start, end]) => h("div", { class: `zone ${name}`,
    style: { left: place(start, axis), width: `calc(${place(end, axis)} - ${place(start, axis)})` } }, end - start > LETTER * name.length * axis.to && h("span", {}, name)))),
  interval(low, probability, high, axis),
  h("div", { class: "marks" }, mark(average, average > axis.to / 2 ? "before" : "after", `average ${percent(average)} (${who})`)),
  h("div", { class: "axis" }, steps.map((step) => h("span", { style: { left: place(step, axis) } }, `${+(100 * step).toFixed(1)} %`))));
}
