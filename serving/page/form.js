// The form, drawn from GET /schema: no field is named here.

import { $, capital, h } from "./dom.js";

const SILENT = "not measured";
const NUMBER = /^[-+]?(\d{1,9}(\.\d{0,9})?|\.\d{1,9})$/; // no 0x1F, no 1e999: what a person means by a number

export function drawForm(schema, home, changed) {
  const asked = schema.$defs.Runner;
  const fields = Object.entries(asked.properties).map(([name, about]) => ({
    name, label: about.title, required: asked.required.includes(name), ...about["x-field"], ...range(about),
  }));
  for (const [at, group] of [...new Set(fields.map((field) => field.group))].entries()) {
    const own = fields.filter((field) => field.group === group);
    const tally = h("span", { class: "tally" });
    const box = h("details", { class: "group", open: at < 3 },
      h("summary", {}, h("span", {}, capital(group)), tally),
      own[0].asked === "visit" && h("p", { class: "hint wide" }, "Fill in for a patient: any of these adds the pathways."),
      h("div", { class: "fields" }, own.map(drawField)));
    const count = () => { tally.textContent = `${own.filter((field) => given(field) !== null).length} of ${own.length}`; };
    box.addEventListener("change", count);
    home.addEventListener("reset", () => setTimeout(count));
    home.append(box);
    count();
  }
  home.addEventListener("change", (event) => { event.target.closest(".field")?.classList.remove("wrong"); changed(); });
  home.addEventListener("reset", () => {
    showFaults(fields, []);
    setTimeout(() => { fields.forEach(showEnds); changed(); });
  });
  return {
    fields,
    runner: () => Object.fromEntries(fields.map((field) => [field.name, given(field)]).filter(([, value]) => value !== null)),
    ready: () => fields.every((field) => !field.required || given(field) !== null),
    showFaults: (faults) => showFaults(fields, faults),
    focus,
  };
}

// The smallest and the largest number that a field can have; a field that may be missing has them one level down.
function range(about) {
  const number = [about, ...(about.anyOf ?? [])].find((type) => "minimum" in type);
  return number ? { low: number.minimum, high: number.maximum } : {};
}

function drawField(field) {
  const { name, label, question, meaning, limits, obtained } = field;
  const help = h("p", { class: "help", id: `help-${name}`, hidden: true },
    `${question} ${meaning} `, h("span", { class: "how" }, `Expected: ${limits}. Obtained by: ${obtained}.`));
  const toggle = h("button", { type: "button", class: "ask", "aria-expanded": "false", "aria-controls": help.id,
    "aria-label": `Help: ${label}`, onclick: () => {
      help.hidden = !help.hidden;
      toggle.setAttribute("aria-expanded", String(!help.hidden));
    } }, "?");
  const notes = h("div", {}, h("p", { class: "fault", id: `fault-${name}` }), help);
  const draw = field.kind === "choice" ? drawChoice : drawInput;
  return h("div", { class: `field ${field.kind}${field.required ? " needed" : ""}`, id: `field-${name}` }, draw(field, toggle), notes);
}

function drawInput(field, toggle) {
  const { name, label, kind, unit, required } = field;
  const input = h("input", { id: `f-${name}`, type: "text", inputmode: kind === "text" ? "text" : "decimal", autocomplete: "off",
    placeholder: required ? "" : kind === "text" ? "optional" : SILENT, "aria-required": String(required),
    "aria-describedby": `ends-${name} fault-${name}` });
  return [
    h("div", { class: "top" }, h("label", { for: input.id }, label, required && kind !== "text" && star()), toggle),
    h("div", { class: "entry" }, input,
      hasUnits(field) ? drawUnits(field) : unit && h("span", { class: "unit", "aria-hidden": "true" }, unit)),
    h("p", { class: "ends", id: `ends-${name}` }, ends(field)),
  ];
}

const hasUnits = (field) => Object.keys(field.other_units ?? {}).length > 0;

// A choice of unit: what was typed stays as it is, and is read in the chosen unit.
function drawUnits(field) {
  return h("select", { id: `u-${field.name}`, class: "units", autocomplete: "off", "aria-label": `Unit of ${field.label}`,
    onchange: () => showEnds(field) },
    [field.unit, ...Object.keys(field.other_units)].map((unit) => h("option", { value: unit }, unit)));
}

// The chosen unit, and what one of it is in the field's own unit.
function chosen({ name, unit, other_units: others }) {
  const unitName = $(`u-${name}`)?.value ?? unit;
  return { unit: unitName, factor: others?.[unitName] ?? 1 };
}

// The limits in the chosen unit, rounded inwards, so that whatever is shown is accepted.
function ends(field) {
  if (field.low === undefined) return "";
  const { unit, factor } = chosen(field);
  const low = factor === 1 ? field.low : Math.ceil(field.low / factor * 10 - 1e-6) / 10;
  const high = factor === 1 ? field.high : Math.floor(field.high / factor * 10 + 1e-6) / 10;
  return `${low} to ${high}${unit ? ` ${unit}` : ""}${field.kind === "whole" ? ", whole" : ""}`;
}

function showEnds(field) {
  const line = $(`ends-${field.name}`);
  if (line && hasUnits(field)) line.textContent = ends(field);
}

function drawChoice({ name, label, levels, required }, toggle) {
  const options = required ? levels : [...levels, ""];
  const radios = options.map((level) => h("label", { class: level ? "option" : "option silent" },
    h("input", { type: "radio", name: `f-${name}`, value: level, checked: level === "", "aria-describedby": `fault-${name}` }),
    h("span", {}, level || SILENT)));
  return [
    h("div", { class: "top" }, h("span", { id: `label-${name}` }, label, required && star()), toggle),
    h("div", { class: "options", role: "radiogroup", "aria-labelledby": `label-${name}`, "aria-required": String(required) }, radios),
    h("p", { class: "ends" }),
  ];
}

const star = () => h("span", { class: "star" }, " needed");

// What a field says: a number in the field's own unit, a level or a text; a text where a number was wanted is for the
// service to refuse.
function given(field) {
  const { name, kind } = field;
  if (kind === "choice") return document.querySelector(`[name="f-${name}"]:checked`)?.value || null;
  const text = $(`f-${name}`).value.trim();
  if (text === "" || text.toLowerCase() === SILENT) return null;
  // 1,9 is 1.9; 1,900 may mean thousands, and is for the service to refuse as a text
  const plain = text.replace(/^\u2212/, "-").replace(/^([-+]?\d+),(\d{1,2})$/, "$1.$2");
  if (kind === "text" || !NUMBER.test(plain)) return text;
  const { factor } = chosen(field);
  return factor === 1 ? Number(plain) : Number((Number(plain) * factor).toPrecision(12)); // 7.1 of 10 is 71, not 70.99…
}

// A fault of the service in the unit that the person chose: the service knows its own alone.
function said(field, fault) {
  if (chosen(field).factor === 1 || !fault.code?.startsWith("outside_limits")) return capital(fault.text);
  return `Expected ${ends(field)}, got ${$(`f-${field.name}`).value.trim()}`;
}

function showFaults(fields, faults) {
  for (const field of fields) {
    const { name } = field;
    const wrong = faults.filter((fault) => fault.fields.includes(name));
    $(`fault-${name}`).textContent = wrong.map((fault) => said(field, fault)).join(" ");
    $(`field-${name}`).classList.toggle("wrong", wrong.length > 0);
    for (const input of $(`field-${name}`).querySelectorAll("input")) {
      if (wrong.length) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    if (wrong.length) $(`field-${name}`).closest("details").open = true;
  }
}

export function focus(name) {
  const field = $(`field-${name}`);
  field.closest("details").open = true;
  const input = field.querySelector("input:checked") ?? field.querySelector("input");
  input.focus();
  field.scrollIntoView({ block: "center" });
}
