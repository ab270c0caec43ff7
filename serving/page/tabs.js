// Three tabs: one runner, a roster, and the model card.

import { $ } from "./dom.js";

const TABS = ["one", "roster", "about"];

export function startTabs(opened) {
  for (const [at, name] of TABS.entries()) {
    const tab = $(`tab-${name}`);
    tab.addEventListener("click", () => choose(name, opened));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = TABS[(at + step + TABS.length) % TABS.length];
      choose(next, opened);
      $(`tab-${next}`).focus();
    });
  }
  window.addEventListener("hashchange", () => fromAddress(opened));
  fromAddress(opened);
}

function fromAddress(opened) {
  const name = location.hash.slice(1);
  choose(TABS.includes(name) ? name : "one", opened);
}

function choose(name, opened) {
  for (const each of TABS) {
    const own = each === name;
    $(each).hidden = !own;
    $(`tab-${each}`).setAttribute("aria-selected", String(own));
    $(`tab-${each}`).tabIndex = own ? 0 : -1;
  }
  if (location.hash.slice(1) !== name) history.replaceState(null, "", name === "one" ? location.pathname : `#${name}`);
  opened[name]?.();
}
