// Elements and words that every part of the page shares.

export const $ = (id) => document.getElementById(id);

export function h(tag, facts = {}, ...children) {
  return furnish(document.createElement(tag), facts, children);
}

export function svg(tag, facts = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), facts, children);
}

function furnish(element, facts, children) {
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    // the style of an element may be set by a script, but the security policy forbids it in the markup
    else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// Digits that pretend no more than the interval allows: one decimal below ten percent, none above.
export function percent(p) {
  const shown = 100 * p;
  return `${Math.abs(shown) < 9.95 ? shown.toFixed(1) : shown.toFixed(0)} %`;
}

// What the interval holds, as the bundle says.
export const atLevel = (level) => `${+(100 * level).toPrecision(4)} % interval`;

export function span(low, high) {
  return `${percent(low).slice(0, -2)} to ${percent(high)}`;
}

export function inHundredMore(effect) {
  const count = Math.round(100 * effect);
  return count === 0 ? "no more" : `${Math.abs(count)} ${count > 0 ? "more" : "fewer"}`;
}

export function points(value, digits = 1) {
  const shown = Math.abs(value).toFixed(digits);
  return `${Number(shown) === 0 ? "±" : value > 0 ? "+" : "−"}${shown}`;
}

export function inHundred(p) {
  const count = Math.round(100 * p);
  return count === 0 ? "fewer than 1 in 100" : count === 100 ? "more than 99 in 100" : `about ${count} in 100`;
}
