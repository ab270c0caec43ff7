// Reading a scored roster: CSV as the service writes it, in the dialect that it came in.

export function readCsv(text) {
  const delimiter = delimiterOf(text);
  const [header, ...rows] = records(text.replace(/^\ufeff/, ""), delimiter);
  return rows.map((row) => Object.fromEntries(header.map((name, at) => [name, unguarded(row[at] ?? "")])));
}

// A number with a point or, where the delimiter is no comma, a comma; null for an empty cell.
export function numberOf(cell) {
  const number = Number((cell ?? "").replace(",", "."));
  return cell === undefined || cell === "" || Number.isNaN(number) ? null : number;
}

function delimiterOf(text) {
  const head = text.slice(0, (text.indexOf("\n") + 1 || text.length + 1) - 1);
  const count = (mark) => head.split(mark).length;
  return [",", ";", "\t"].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
}

// Cells that a spreadsheet would take for a formula come with an apostrophe before them.
const unguarded = (cell) => cell.replace(/^'(?=[=+\-@\t\r])/, "");

function records(text, delimiter) {
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  const end = () => { row.push(cell); cell = ""; };
  for (let at = 0; at < text.length; at++) {
    const mark = text[at];
    if (quoted) {
      if (mark !== '"') cell += mark;
      else if (text[at + 1] === '"') { cell += '"'; at += 1; } else quoted = false;
    } else if (mark === '"') quoted = true;
    else if (mark === delimiter) end();
    else if (mark === "\n") { end(); rows.push(row); row = []; } else if (mark !== "\r") cell += mark;
  }
  if (cell || row.length) { end(); rows.push(row); }
  return rows;
}
