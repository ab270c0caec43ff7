// The page: draws the form, asks for an answer whenever the form changes, and shows it.

import { Refused, assess, json } from "./api.js";
import { openCard } from "./card.js";
import { $, atLevel, h, inHundred, span } from "./dom.js";
import { drawForm, focus } from "./form.js";
import { coded, makeModel } from "./model.js";
import { drawPathways, drawTests } from "./pathways.js";
import { drawMeasure, drawReasons } from "./reasons.js";
import { drawRisk } from "./risk.js";
import { openRoster } from "./roster.js";
import { startTabs } from "./tabs.js";
import { drawWhatIf } from "./whatif.js";

const [SHEET, FRAME, LINE] = [1015, 28, 1.45]; // on paper: px of a page, and letters that the frame and each line take
const PAUSE = 120; // ms: a change of several fields is one question

let form;
let tables;
let model;
let asking = new AbortController();
let waiting = 0;

async function start() {
  startTabs({ roster: openRoster, about: openCard });
  const schema = await json("/schema");
  form = drawForm(schema, $("form"), () => later(false));
  $("form").addEventListener("submit", (event) => { event.preventDefault(); later(true, 0); });
  $("print").addEventListener("click", () => window.print());
  reached("form");
  await readTables();
  reached("all");
}

// For whoever waits or measures.
function reached(state) {
  document.documentElement.dataset.ready = state;
  performance.mark(state);
}

function later(told, pause = PAUSE) {
  clearTimeout(waiting);
  waiting = setTimeout(() => answer(told).catch(explain), pause);
}

// `told`: the person asked for the answer, so that what is lacking is said, and the answer takes the focus.
async function answer(told) {
  asking.abort();
  asking = new AbortController();
  if (!told && !form.ready()) return silence("Age and sex are enough for a first answer.");
  try {
    const runner = form.runner();
    const found = await assess(runner, asking.signal);
    form.showFaults([]);
    await ready(found.bundle);
    show(found, runner);
    if (told) reveal();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Refused) || !error.faults.length) throw error;
    form.showFaults(error.faults);
    const faulty = form.fields.filter(({ name }) => error.faults.some((fault) => fault.fields.includes(name)));
    silence(faulty.length ? "No answer yet. These need another look:" : error.faults[0].text, faulty);
    if (told && faulty.length) focus(faulty[0].name);
  }
}

// The answer takes the focus; where it lies below the form, it is brought into view.
function reveal() {
  const wide = $("answer").getBoundingClientRect().left > $("form").getBoundingClientRect().left;
  $("answer").focus({ preventScroll: wide });
}

// The tables are there, and those of the bundle that answered: the service may have taken up another since.
async function ready(bundle) {
  while (!model) await new Promise((done) => setTimeout(done, 5));
  if (tables.bundle !== bundle) await readTables();
}

async function readTables() {
  tables = await json("/tables");
  model = makeModel(tables);
  $("notice").textContent = tables.notice;
}

function silence(text, faulty = []) {
  $("empty").hidden = false;
  $("empty-text").replaceChildren(text, ...faulty.map(({ name, label }) =>
    h("button", { type: "button", class: "link", onclick: () => focus(name) }, label)));
  $("found").hidden = true;
  $("print").disabled = true;
}

function show(found, runner) {
  const context = { tables, model, runner, values: coded(tables, runner) };
  $("empty").hidden = true;
  $("found").hidden = false;
  $("print").disabled = false;
  $("found").classList.toggle("patient", Boolean(found.pathways));
  drawWithheld($("withheld"), found);
  const further = cautionsBeside(found);
  $("cautions").hidden = !further.length;
  $("cautions").replaceChildren(h("h2", { class: "unseen" }, "Cautions"), h("ul", {}, further.map(({ text }) => h("li", {}, text))));
  drawRisk($("risk"), found, context);
  drawReasons($("reasons"), found, context);
  drawMeasure($("measure"), found);
  drawPathways($("pathways"), found, context);
  drawTests($("tests"), found);
  drawWhatIf($("whatif"), found, context);
  drawRecord(found, runner);
  $("said").textContent = spoken(found);
}

// What a rule withholds, and what to do before: it stands first, and no number stands in its place.
function drawWithheld(home, { withheld }) {
  home.hidden = !withheld.length;
  home.replaceChildren(h("h2", {}, "What to do first"), h("ul", {}, withheld.map(({ text }) => h("li", {}, text))));
}

// The cautions that do not stand under "What to do first" already.
function cautionsBeside({ cautions, withheld }) {
  return cautions.filter(({ code }) => !withheld.some((rule) => rule.code === code));
}

// What a screen reader says once an answer is there.
function spoken({ risk, preference, cautions }) {
  const parts = [risk ? `Risk ${inHundred(risk.probability)}, ${atLevel(risk.level)} ${span(risk.low, risk.high)}, ${risk.band} band.` : "", preference?.text ?? ""];
  // without a risk, what to do or why there is none comes first
  const texts = cautions.map(({ text }) => text);
  return [...(risk ? parts : texts), ...(risk ? texts : parts)].filter(Boolean).join(" ");
}

// The size of a letter on paper, in px, with which all of the answer is on one page: the more lines, the smaller.
function letter({ cautions, reasons, pathways, tests }, given) {
  const known = reasons.filter((reason) => reason.value !== null).length;
  const lines = Math.ceil(given / 4) + Math.ceil(cautions.length / 2) + Math.max(known, 12) + (pathways ? 25 : 0) + (tests?.length ? 4 : 0);
  return Math.min(11.5, SHEET / (FRAME + LINE * lines)).toFixed(2);
}

// What the patient's file must say beside the answer, on paper alone.
function drawRecord(found, runner) {
  const given = form.fields.filter((field) => field.name in runner);
  const left = form.fields.length - given.length;
  $("record").dataset.count = given.length;
  document.documentElement.style.setProperty("--letter", letter(found, given.length));
  $("record").replaceChildren(
    h("h2", {}, "What was entered"),
    h("dl", {}, given.map(({ name, label, unit }) => h("div", {}, h("dt", {}, label), h("dd", {}, `${runner[name]}${unit && "\u00a0"}${unit}`)))),
    h("p", {}, `Not measured: ${left} further fields. ${new Date().toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" })}. ` +
      `Model ${found.bundle}. ${found.trained_on.notice}`));
}

function explain(error) {
  silence(error instanceof Refused ? error.message : "Something went wrong on this page. Load it again.");
  if (!(error instanceof Refused)) throw error;
}

start().catch(explain);
