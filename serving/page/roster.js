// The roster: a file is dropped, the service scores it, the rows are shown and sorted, and the scored file is downloaded.

import { ask } from "./api.js";
import { numberOf, readCsv } from "./csv.js";
import { $, capital, h, percent, span } from "./dom.js";

const PAGE = 100; // rows shown at a time
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
  $("roster-found").hidden = true;
  tell(`Scoring ${file.name} …`);
  try {
    const response = await scored(file, "text/csv");
    rows = readCsv(await response.text()).map((row) => ({ ...row, risk: numberOf(row[riskColumn(row)]) }));
    tell("");
    show(file);
  } catch (error) {
    tell(error.message, error.faults ?? []);
  } finally {
    $("file").value = "";
  }
}

function scored(file, accept) {
  const body = new FormData();
  body.append("roster", file, file.name);
  return ask("/score_roster", { method: "POST", body, headers: accept ? { Accept: accept } : {} });
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

function show(file) {
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
  $("download").onclick = () => download(file);
  $("download").textContent = `Download ${scoredName(file)}`;
  draw();
  $("roster-found").hidden = false;
}

const scoredName = (file) => file.name.replace(/(\.[^.]*)?$/, "_scored$1");

// The file in the format that it came in, with every column.
async function download(file) {
  const address = URL.createObjectURL(await (await scored(file)).blob());
  h("a", { href: address, download: scoredName(file) }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
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
