// Every setting in force, with the place it comes from.

import { make, setText } from "./dom.js";
import { count } from "./format.js";
import { List } from "./list.js";

const shown = (value) => (value === null ? "–" : typeof value === "string" ? value : JSON.stringify(value));

export function settingsView(page) {
  let all = null;
  let found = [];
  const wanted = { text: "", given: false };
  const sum = make("p", { class: "muted sum", role: "status" });
  const list = new List({
    label: "Settings",
    columns: [
      { label: "Setting", class: "c-setting mono", text: (row) => row.name },
      { label: "Value", class: "c-value mono", text: (row) => shown(row.value) },
      { label: "Comes from", class: "c-origin mono", text: (row) => row.origin },
      { label: "Entry", class: "c-entry", text: (row) => `${row.kind} ${row.entry}` },
    ],
    rowClass: (row) => (row.is_default ? "default" : "given"),
    empty: "No setting fits.",
    fetch: async (offset, limit) => ({ total: found.length, offset, rows: found.slice(offset, offset + limit) }),
  });

  async function filter() {
    // What was typed before the answer came counts when it comes.
    if (all === null) return;
    const text = wanted.text.toLowerCase();
    found = all.filter((row) => (!wanted.given || !row.is_default)
      && [row.name, row.entry, row.kind, row.origin, shown(row.value)].some((each) => each.toLowerCase().includes(text)));
    setText(sum, `${count(found.length)} of ${count(all.length)} settings`);
    await list.restart();
  }

  const search = make("input", { id: "settings-text", type: "search", autocomplete: "off", placeholder: "name, entry, file, variable" });
  search.addEventListener("input", () => {
    wanted.text = search.value;
    filter();
  });
  const given = make("input", { id: "settings-given", type: "checkbox" });
  given.addEventListener("input", () => {
    wanted.given = given.checked;
    filter();
  });
  return {
    title: "Configuration",
    element: make("div", { class: "stack tall" },
      make("form", { class: "filters", role: "search", submit: (event) => event.preventDefault() },
        make("div", { class: "filter-row" },
          make("div", { class: "field" }, make("label", { for: "settings-text" }, "Search"), search),
          make("div", { class: "check" }, given, make("label", { for: "settings-given" }, "Without defaults")))),
      sum, list.element),
    every: 15000,
    async poll() {
      const { settings } = await page.link.ask("settings");
      const isNew = JSON.stringify(settings) !== JSON.stringify(all);
      all = settings;
      if (isNew) await filter();
    },
  };
}
