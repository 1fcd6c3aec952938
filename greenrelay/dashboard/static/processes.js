// All processes: as a tree of supervisors and children, or by what they do most.

import { address, asking, make, setText, shortPid } from "./dom.js";
import { count, duration, rate } from "./format.js";
import { List } from "./list.js";

const ORDERS = [
  ["tree", "tree"], ["growth", "inbox grows fastest"], ["inbox", "longest inbox"], ["in", "most messages in"],
  ["out", "most messages out"], ["oldest", "oldest first"], ["newest", "newest first"],
];

const COLUMNS = [
  { label: "Process", class: "c-pid mono", text: (row) => shortPid(row.pid), title: (row) => row.pid, level: (row) => row.level },
  { label: "Runs", class: "c-entry", fill: fillEntry },
  { label: "State", class: "c-state", text: (row) => row.state },
  { label: "Inbox", class: "c-number", text: (row) => count(row.inbox) },
  { label: "Grows", class: "c-number c-grows", text: (row) => growth(row.growth) },
  { label: "Links", class: "c-related", fill: (cell, row) => fillRelated(cell, row.links, row.link_count) },
  { label: "Monitors", class: "c-related", fill: (cell, row) => fillRelated(cell, row.monitors, row.monitor_count) },
  { label: "In", class: "c-number c-in", text: (row) => count(row.messages_in) },
  { label: "Out", class: "c-number c-out", text: (row) => count(row.messages_out) },
  { label: "Age", class: "c-number c-age", text: (row) => duration(row.age) },
];

export function processesView(page, _, query) {
  const wanted = { text: query.get("text") ?? "", order: query.get("order") ?? "tree", node: query.get("node") ?? "" };
  const sum = make("p", { class: "muted sum", role: "status" });
  const list = new List({
    label: "Processes",
    columns: COLUMNS,
    open: (row) => address("process", row.pid),
    rowClass: (row) => (row.growth > 0 ? "busy" : ""),
    empty: "No process fits.",
    fetch: async (offset, limit) => {
      const found = await page.link.ask("processes", { ...wanted, offset, limit });
      setText(sum, `${count(found.total)} of ${count(found.open)}`);
      return found;
    },
  });
  const changed = () => {
    page.remember(asking("processes", { node: wanted.node, text: wanted.text, order: wanted.order === "tree" ? "" : wanted.order }));
    list.restart().catch(() => {});
  };
  let timer = null;
  const search = make("input", { id: "process-text", type: "search", autocomplete: "off", placeholder: "PID, code, name, group" });
  search.value = wanted.text;
  search.addEventListener("input", () => {
    wanted.text = search.value;
    clearTimeout(timer);
    timer = setTimeout(changed, 250);
  });
  const order = make("select", { id: "process-order" }, ORDERS.map(([value, text]) => make("option", { value }, text)));
  order.value = wanted.order;
  order.addEventListener("input", () => {
    wanted.order = order.value;
    changed();
  });
  const filters = make("form", { class: "filters", role: "search", submit: (event) => event.preventDefault() },
    make("div", { class: "filter-row" },
      make("div", { class: "field" }, make("label", { for: "process-text" }, "Search"), search),
      make("div", { class: "field" }, make("label", { for: "process-order" }, "Order"), order)));
  return {
    title: wanted.node ? `Processes of ${wanted.node}` : "Processes",
    element: make("div", { class: "stack tall" }, filters, sum, list.element),
    every: 2000,
    poll: () => list.refresh(),
  };
}

function growth(number) {
  if (!number) return "–";
  return `${number > 0 ? "+" : "−"}${rate(Math.abs(number))}/s`;
}

function fillEntry(cell, row) {
  const names = row.names.length ? ` ${row.names.join(", ")}` : "";
  setText(cell, `${row.is_supervisor ? "supervisor " : ""}${row.entry}${names ? ` ·${names}` : ""}`);
}

function fillRelated(cell, pids, number) {
  const more = number > pids.length ? ` and ${count(number - pids.length)} more` : "";
  setText(cell, number ? pids.map(shortPid).join(" ") + more : "–");
}
