// The released model, read from GET /tables: the same tables and the same sums as the server's, so the same answers.
// A value that was not measured is NaN; a level is its place among the levels of its field.

// How a margin becomes a probability, and by how much a small change of it changes that: by the model's link.
const logistic = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
export const LINKS = {
  logit: { inverse: logistic, slope: (x) => logistic(x) * (1 - logistic(x)) },
  cloglog: { inverse: (x) => -Math.expm1(-Math.exp(x)), slope: (x) => Math.exp(x - Math.exp(x)) },
};
const DERIVED = { bmi: (value) => value.weight_kg / (value.height_cm / 100) ** 2 };

export function makeModel(tables) {
  const onset = compiled(tables.onset.model);
  const shares = Object.entries(tables.onset.explanation.shares).map(([field, model]) => [field, compiled(model)]);
  const prognosis = compiled(tables.pathways.prognosis);
  const modifiers = Object.entries(tables.pathways.modifiers).map(([arm, model]) => [arm, compiled(model)]);
  const fields = new Map(tables.fields.map((field) => [field.name, field]));
  const parts = { onset, shares, prognosis, modifiers: new Map(modifiers), fields };
  return (runner) => assess(tables, parts, coded(tables, runner));
}

export function coded(tables, runner) {
  const values = {};
  for (const { name, kind, levels, parts } of tables.fields) {
    const given = runner[name] ?? null;
    if (parts.length) values[name] = DERIVED[name](values);
    else if (kind !== "text") values[name] = given === null ? NaN : kind === "choice" ? levels.indexOf(given) : given;
  }
  return values;
}

function assess(tables, parts, values) {
  const patient = tables.fields.some((field) => field.asked === "visit" && !Number.isNaN(values[field.name]));
  const scored = values.current_knee_pain !== 1;
  const found = scored ? explained(tables, parts, values) : { risk: null, reasons: [], drivers: none(tables) };
  return { ...found, pathways: patient ? compared(tables, parts, values) : null };
}

const none = (tables) => Object.fromEntries(tables.drivers.map((driver) => [driver, 0]));

function explained(tables, { onset, shares, fields }, values) {
  const margins = members(onset, values);
  const reasons = [];
  const drivers = none(tables);
  let base = tables.onset.explanation.base;
  for (const [field, model] of shares) {
    const part = members(model, values)[0];
    // a field that was not measured is no reason: what its absence says is where the reasons start
    if (Number.isNaN(values[field])) base += part;
    else drivers[fields.get(field).driver] += part;
    reasons.push({ field, contribution: Number.isNaN(values[field]) ? 0 : part });
  }
  const link = LINKS[tables.onset.model.link];
  const [probability, low, high] = onMargin(margins, tables.onset.interval, link);
  const start = link.inverse(base);
  const gap = margins[0] - base;
  const secant = Math.abs(gap) < 1e-6 ? link.slope(base) : (probability - start) / gap;
  for (const reason of reasons) reason.percentage_points = 100 * secant * reason.contribution;
  const { bands } = tables.reference;
  const band = probability < bands.low_below ? "low" : probability >= bands.high_from ? "high" : "moderate";
  const average = peers(tables, values).risk;
  return { risk: { probability, low, high, level: tables.level, link: tables.onset.model.link, band, average, margin: margins[0], base_margin: base }, reasons, drivers };
}

export function peers(tables, values) {
  const sex = tables.fields.find((field) => field.name === "sex").levels[values.sex];
  const age = values.age_years;
  return tables.reference.averages.find((cell) => cell.sex === sex && cell.age_from <= age && age < cell.age_below);
}

function compared(tables, { prognosis, modifiers, fields }, values) {
  const { interval } = tables.pathways;
  const usual = members(prognosis, values);
  const link = LINKS[tables.pathways.prognosis.link];
  const chances = usual.map(link.inverse);
  return tables.arms.map((arm) => {
    const eligible = arm.requires.every(([name, level]) => fields.get(name).levels[values[name]] === level);
    const why_not = eligible ? null : arm.why_not;
    const shown = { arm: arm.name, probability: null, low: null, high: null, effect: null, effect_low: null,
      effect_high: null, eligible, why_not };
    if (!eligible) return shown;
    const added = modifiers.get(arm.name);
    const margins = added ? usual.map(plus(members(added, values))) : usual;
    [shown.probability, shown.low, shown.high] = onMargin(margins, interval, link);
    if (!added) return shown;
    const lead = margins.map((margin, member) => link.inverse(margin) - chances[member]);
    const reach = interval.t * Math.sqrt(spread(lead, interval));
    shown.effect = lead[0];
    shown.effect_low = Math.max(lead[0] - reach, -1);
    shown.effect_high = Math.min(lead[0] + reach, 1);
    return shown;
  });
}

const plus = (others) => (margin, member) => margin + others[member];

function onMargin(margins, interval, { inverse }) {
  const reach = interval.t * Math.sqrt(spread(margins, interval));
  return [inverse(margins[0]), inverse(margins[0] - reach), inverse(margins[0] + reach)];
}

// What the evidence does not know and what the sample does not tell, from the members after the first.
function spread(members, { evidence, sampling }) {
  const draws = variance(members, 1, 1 + evidence);
  return draws * (1 + 1 / Math.max(evidence, 1)) + variance(members, 1 + evidence, 1 + evidence + sampling);
}

function variance(values, from, to) {
  let mean = 0;
  for (let at = from; at < to; at++) mean += values[at] / Math.max(to - from, 1);
  let sum = 0;
  for (let at = from; at < to; at++) sum += (values[at] - mean) ** 2;
  return sum / Math.max(to - from - 1, 1);
}

function compiled(model) {
  return { intercept: Float64Array.from(model.intercept), terms: model.terms };
}

function members({ intercept, terms }, values) {
  const total = intercept.slice();
  for (const term of terms) {
    if (term.type === "line") addLine(total, term, values[term.field]);
    else if (term.type === "step") add(total, term.values[bin(values[term.field], term.cuts)]);
    else add(total, term.values[bin(values[term.fields[0]], term.cuts[0])][bin(values[term.fields[1]], term.cuts[1])]);
  }
  return total;
}

function addLine(total, { knots, values }, x) {
  if (Number.isNaN(x)) {
    add(total, values[values.length - 1]);
    return;
  }
  const last = knots.length - 1;
  const inside = Math.min(Math.max(x, knots[0]), knots[last]);
  let left = 0;
  while (left < last - 1 && knots[left + 1] <= inside) left += 1;
  const share = (inside - knots[left]) / (knots[left + 1] - knots[left]);
  for (let at = 0; at < total.length; at++) total[at] += values[left][at] * (1 - share) + values[left + 1][at] * share;
}

function add(total, row) {
  for (let at = 0; at < total.length; at++) total[at] += row[at];
}

// The values of bin i hold above cut i - 1 and up to cut i; those of the bin after the last where it was not measured.
function bin(x, cuts) {
  if (Number.isNaN(x)) return cuts.length + 1;
  let at = 0;
  while (at < cuts.length && cuts[at] < x) at += 1;
  return at;
}
