// Uncertainty, drawn: a hundred people, and a scale on which an interval fades from the estimate to its ends.

import { h, svg } from "./dom.js";

const PERSON = "M5 0a2.1 2.1 0 1 1 0 4.2A2.1 2.1 0 0 1 5 0zM2.6 4.9h4.8q1 0 1 1v3.4H7.2V14H2.8V9.3H1.6V5.9q0-1 1-1z";

// Of a hundred: dark even at the low end of the interval, then the estimate, then outlined what the high end adds.
export function people(low, middle, high, label) {
  const [sure, likely, may] = [low, middle, high].map((p) => Math.round(100 * p));
  const figures = Array.from({ length: 100 }, (_, at) => {
    const kind = at < sure ? "sure" : at < likely ? "likely" : at < may ? "may" : "not";
    const place = `translate(${(at % 10) * 11 + 1} ${Math.floor(at / 10) * 15.5 + 1})`;
    return svg("path", { d: PERSON, class: kind, transform: place });
  });
  return svg("svg", { class: "people", viewBox: "0 0 111 156", role: "img", "aria-label": label }, figures);
}

// An interval on an axis from `from` to `to`: the estimate, a band that fades to both ends, and ticks at the ends.
export function interval(low, middle, high, { from, to }, facts = {}) {
  const at = (value) => 100 * Math.min(Math.max((value - from) / (to - from), 0), 1);
  const width = Math.max(at(high) - at(low), 0.5);
  const peak = (100 * (at(middle) - at(low))) / width;
  return h("div", { class: `interval ${facts.class ?? ""}` },
    h("div", { class: "fade", style: { left: `${at(low)}%`, width: `${width}%`, "--peak": `${peak}%` } }),
    h("div", { class: "point", style: { left: `${at(middle)}%` } }));
}

export const place = (value, { from, to }) => `${100 * Math.min(Math.max((value - from) / (to - from), 0), 1)}%`;

// The end of an axis that holds all values: a round number.
export function roundUp(value, steps) {
  return steps.find((step) => step >= value) ?? steps.at(-1);
}
