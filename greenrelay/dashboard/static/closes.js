// The last sockets that are over, and why.

import { address, asking, make, setText, shortPid } from "./dom.js";
import { codeText, count, duration, timeOfDay } from "./format.js";
import { List } from "./list.js";

const COLUMNS = [
  { label: "Socket", class: "c-pid mono", text: (row) => shortPid(row.pid), title: (row) => row.pid },
  { label: "At", class: "c-when", text: (row) => timeOfDay(row.at) },
  { label: "Code", class: "c-code", text: (row) => codeText(row.code) },
  { label: "Reason", class: "c-reason", text: (row) => row.reason || "–" },
  { label: "By", class: "c-by", text: (row) => (row.by_client ? "client" : "server") },
  { label: "User", class: "c-user", text: (row) => row.user || "–" },
  { label: "Path", class: "c-path mono", text: (row) => row.path },
  { label: "Address", class: "c-address mono", text: (row) => row.remote_addr },
  { label: "Lasted", class: "c-number", text: (row) => duration(row.duration) },
];

export function closesView(page, _, query) {
  const wanted = { text: query.get("text") ?? "", code: query.get("code") ?? "" };
  const sum = make("p", { class: "muted sum", role: "status" });
  const list = new List({
    label: "Closed sockets, the newest first",
    columns: COLUMNS,
    open: (row) => address("socket", row.pid),
    rowClass: (row) => (row.clean ? "" : "unclean"),
    empty: "Nothing has closed yet that fits.",
    fetch: async (offset, limit) => {
      const found = await page.link.ask("closes", { ...wanted, offset, limit });
      setText(sum, `${count(found.total)} of the last 500 that are kept`);
      return found;
    },
  });
  const changed = () => {
    page.remember(asking("closes", wanted));
    list.restart().catch(() => {});
  };
  const field = (name, label, hint) => {
    const id = `closes-${name}`;
    const input = make("input", { id, type: "search", autocomplete: "off", placeholder: hint });
    input.value = wanted[name];
    input.addEventListener("input", () => {
      wanted[name] = input.value.trim();
      changed();
    });
    return make("div", { class: "field" }, make("label", { for: id }, label), input);
  };
  return {
    title: "Closes",
    element: make("div", { class: "stack tall" },
      make("form", { class: "filters", role: "search", submit: (event) => event.preventDefault() },
        make("div", { class: "filter-row" }, field("text", "Search", "PID, user, path, reason"), field("code", "Code", "1006"))),
      sum, list.element),
    every: 2000,
    poll: () => list.refresh(),
  };
}
