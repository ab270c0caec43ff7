// The roster: a file is dropped, what it leaves open is asked, the service scores it, the rows are shown and sorted, and
// the scored file is downloaded. The questions are those of `pfps map --ask`: the service sends them as data.

import { ask } from "./api.js";
import { numberOf, readCsv } from "./csv.js";
import { $, capital, h, percent, span } from "./dom.js";

const PAGE = 100; // rows shown at a time
const NAMED = 8; // columns of a question: of more, none is named
const BANDS = ["low", "moderate", "high"];
const COLUMNS = [
  { title: "Runner", of: (row) => row.runner_id, key: (row) => row.runner_id },
  { title: "Risk", of: riskOf, key: (row) => (row.withheld ? 2 : row.risk) }, // whom a doctor has to see stands above any risk
  { title: "Band", of: (row) => row.risk_band && h("span", { class: `band ${row.risk_band}` }, h("span", { class: "chip" }, row.risk_band)),
    key: (row) => BANDS.indexOf(row.risk_band) },
  { title: "Reasons", of: (row) => list([row.reason_1, row.reason_2, row.reason_3]), key: (row) => row.reason_1 },
  { title: "Measure next", of: (row) => row.measure_next ?? "", key: (row) => row.measure_next },
  { title: "Pathways", of: pathwaysOf, key: (row) => row.preferred_pathway ?? "" },
  { title: "Cautions and problems", of: (row) => [row.problems && h("strong", {}, `${row.status === "rejected" ? "Rejected" : "Not used"}: ${row.problems}`), row.cautions],
    key: (row) => `${row.problems}${row.cautions}` },
];

let ready = false;
let latest = 0; // of several files that are dropped, the last one counts
let rows = [];
let shown = PAGE;
let order = { at: 1, falling: true };

export function openRoster() {
  if (ready) return;
  ready = true;
  const drop = $("drop");
  $("file").addEventListener("change", (event) => take(event.target.files[0]));
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") take(event.dataTransfer.files[0]);
    });
  }
}

async function take(file) {
  if (!file) return;
  const before = $("map-file").files[0];
  $("file").value = "";
  await proceed({ file, before, turn: ++latest }, []);
}

// One step of the dialogue: what is open is asked; once nothing is, the file is scored by the map of the answers.
async function proceed(roster, answers) {
  $("roster-found").hidden = true;
  if (!answers.length) $("roster-asked").hidden = true; // an answer that is refused can be given again
  tell(`Reading ${roster.file.name} …`);
  try {
    const found = await (await ask("/map", { method: "POST", body: bodyOf(roster, { map: roster.before, answers }) })).json();
    if (roster.turn !== latest) return;
    if (found.questions.length) question(roster, answers, found);
    else await score({ ...roster, map: found.needed ? found.map : null }, found);
  } catch (error) {
    if (roster.turn === latest) tell(error.message, error.faults ?? []);
  }
}

async function score(roster, found) {
  $("roster-asked").hidden = true;
  tell(`Scoring ${roster.file.name} …`);
  const response = await scored(roster, "text/csv");
  const read = readCsv(await response.text()).map((row) => ({ ...row, risk: numberOf(row[riskColumn(row)]) }));
  if (roster.turn !== latest) return;
  rows = read;
  tell("");
  show(roster, found);
}

function bodyOf(roster, { map, answers }) {
  const body = new FormData();
  body.append("roster", roster.file, roster.file.name);
  if (map) body.append("map", map instanceof Blob ? map : new Blob([map]), "map.toml");
  if (answers?.length) body.append("answers", new Blob([JSON.stringify(answers)]), "answers.json");
  return body;
}

function scored(roster, accept) {
  return ask("/score_roster", { method: "POST", body: bodyOf(roster, roster), headers: accept ? { Accept: accept } : {} });
}

// The first open question, with the values of its columns; an answer asks the service again.
function question(roster, answers, { questions }) {
  const [{ id, code, columns, text, samples, choices, default: usual }] = questions;
  const form = $("roster-asked");
  const go = (answer) => proceed(roster, [...answers, { id, answer }]);
  const button = (title, onclick) => h("button", { type: "button", class: "plain", onclick }, title);
  form.onsubmit = (event) => {
    event.preventDefault();
    const filled = new FormData(form);
    go(filled.get("written")?.trim() || filled.get("choice") || "");
  };
  form.replaceChildren(
    h("fieldset", {},
      h("legend", { tabindex: "-1" }, columns.length <= NAMED ? `${columns.join(", ")}: ` : "", text),
      samples.length ? h("p", { class: "hint" }, `In the file: ${samples.join(", ")}`) : null,
      choices.map((choice) => h("label", { class: "choice" },
        h("input", { type: "radio", name: "choice", value: choice, checked: choice === usual }), " ", choice === "leave" ? "leave it out" : choice)),
      choices.length && code !== "ask_levels" ? null : h("label", { class: "choice" },
        choices.length ? "Or every one of them, such as 1 = yes, 2 = no: " : "Answer: ", h("input", { name: "written", autocomplete: "off" }))),
    h("div", { class: "buttons" }, h("button", { class: "main" }, "Answer"),
      choices.length ? null : button("Leave it out", () => go("leave")),
      answers.length ? button("Back", () => proceed(roster, answers.slice(0, -1))) : null),
    h("p", { class: "hint" }, questions.length === 1 ? "One question is open. Nothing is scored before."
      : `${questions.length} questions are open. Nothing is scored before.`));
  tell("");
  form.hidden = false;
  form.querySelector("legend").focus();
}

const riskColumn = (row) => Object.keys(row).find((name) => /^risk_\d+m$/.test(name));

function tell(text, faults = []) {
  $("roster-told").replaceChildren(text, faults.length ? h("ul", {}, faults.slice(0, 20).map((fault) =>
    h("li", {}, placed(fault)))) : "");
}

function placed({ row, fields, text }) {
  const place = [row === null ? "" : `row ${row + 1}`, fields[0]].filter(Boolean).join(", ");
  return place ? `${place}: ${text}` : capital(text);
}

function show(roster, found) {
  const { file } = roster;
  shown = PAGE;
  const count = (test) => rows.filter(test).length;
  const told = [
    [rows.length, rows.length === 1 ? "row" : "rows"], [count((row) => row.status === "scored"), "scored"],
    [count((row) => row.status === "partly"), "partly"], [count((row) => row.status === "rejected"), "rejected"],
    ...(count((row) => row.withheld) ? [[count((row) => row.withheld), "to see a doctor first: no risk"]] : []),
    ...BANDS.map((band) => [count((row) => row.risk_band === band), `${band} risk`]),
    [count((row) => row.status !== "rejected" && row.risk === null && !row.withheld), "with knee pain now: no risk"],
  ];
  $("roster-counts").replaceChildren(...told.map(([number, text]) => h("div", {}, h("strong", {}, number.toLocaleString("en")), ` ${text}`)));
  $("roster-who").replaceChildren(...whom());
  $("roster-read").replaceChildren(...readAs(roster, found));
  $("roster-read").hidden = !found.needed;
  $("download").onclick = () => download(roster);
  $("download").textContent = `Download ${scoredName(file)}`;
  draw();
  $("roster-found").hidden = false;
}

const scoredName = (file) => file.name.replace(/(\.[^.]*)?$/, "_scored$1");

// The file in the format that it came in, with every column.
const download = async (roster) => save(await (await scored(roster)).blob(), scoredName(roster.file));

function save(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// Whoever has no risk, or one without some of their cells, by id: nobody is lost in a count.
function whom() {
  const groups = [
    ["Rejected", (row) => row.status === "rejected"],
    ["Scored without some cells", (row) => row.status === "partly"],
    ["To see a doctor first", (row) => row.withheld],
    ["With knee pain now, so no risk of a new episode", (row) => row.status !== "rejected" && row.risk === null && !row.withheld],
  ];
  return groups.map(([title, test]) => [title, rows.filter(test).map((row) => row.runner_id || "(no id)")])
    .filter(([, ids]) => ids.length)
    .map(([title, ids]) => h("details", {}, h("summary", {}, `${title}: ${ids.length}`), h("p", {}, ids.join(", "))));
}

// How the columns were read, and the map that says so.
function readAs({ map }, { columns, unread, no_runners }) {
  const notes = ({ columns, field, notes }) => h("li", {}, `${columns.filter(Boolean).join(", ") || "For everybody"}: `, field, notes.length ? `. ${notes.join(" ")}` : "");
  return [h("summary", {}, `How the columns were read: ${columns.length} read, ${unread.length} not`), h("ul", {}, columns.map(notes)),
    unread.length ? h("p", {}, `Not read, and passed through: ${unread.join(", ")}.`) : "",
    no_runners.length ? h("p", {}, `Rows of the sheet that are no runner: ${no_runners.map(({ row }) => row).join(", ")}.`) : "",
    h("button", { type: "button", class: "plain", onclick: () => save(new Blob([map]), "map.toml") }, "Download the map")];
}

function draw() {
  const columns = COLUMNS.filter(({ title }) => title !== "Pathways" || rows.some((row) => row.preferred_pathway));
  const { key } = columns[order.at] ?? columns[1];
  const sorted = [...rows].sort((a, b) => compare(key(a), key(b), order.falling));
  $("roster-table").replaceChildren(
    h("thead", {}, h("tr", {}, columns.map(({ title }, at) => {
      const sorted = order.at === at ? (order.falling ? "descending" : "ascending") : "none";
      const turn = () => { order = { at, falling: order.at === at ? !order.falling : true }; draw(); };
      return h("th", { scope: "col", "aria-sort": sorted }, h("button", { type: "button", onclick: turn }, title,
        h("span", { "aria-hidden": "true" }, { descending: " ▼", ascending: " ▲", none: "" }[sorted])));
    }))),
    h("tbody", {}, sorted.slice(0, shown).map((row) => h("tr", { class: row.status },
      columns.map(({ of, title }) => h("td", { "data-title": title }, of(row) || ""))))));
  $("more").hidden = shown >= rows.length;
  $("more").textContent = `Show more (${shown} of ${rows.length})`;
  $("more").onclick = () => { shown += PAGE; draw(); };
}

// What is not there comes last, whichever way it is sorted.
function compare(a, b, falling) {
  const gone = (value) => value === null || value === undefined || value === "" || value === -1;
  if (gone(a) || gone(b)) return Number(gone(a)) - Number(gone(b));
  const rise = typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return falling ? -rise : rise;
}

function riskOf(row) {
  if (row.withheld) return h("strong", {}, "see a doctor first");
  if (row.risk === null) return null;
  return [h("strong", {}, percent(row.risk)), h("span", { class: "range" }, ` ${span(numberOf(row.risk_low), numberOf(row.risk_high))}`)];
}

function pathwaysOf(row) {
  if (!row.preferred_pathway) return null;
  const name = (text) => capital(text.replaceAll("_", " "));
  return row.preferred_pathway === "none" ? `No clear preference; acceptable: ${row.acceptable_pathways.replaceAll("_", " ")}`
    : `Preferred: ${name(row.preferred_pathway)}`;
}

const list = (texts) => h("ul", {}, texts.filter(Boolean).map((text) => h("li", {}, text)));
