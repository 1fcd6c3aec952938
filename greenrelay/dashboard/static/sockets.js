// All sockets and streams, with filters.

import { address, asking, button, make, setText, shortPid } from "./dom.js";
import { endingOf } from "./endings.js";
import { count, duration, milliseconds } from "./format.js";
import { List } from "./list.js";

const FIELDS = [
  { name: "text", label: "Search", type: "search", hint: "PID, user, room, metadata" },
  { name: "path", label: "Path" },
  { name: "user", label: "User" },
  { name: "address", label: "Address" },
  { name: "target", label: "Target" },
  { name: "state", label: "State", choices: [["", "any"], ["open", "open"], ["closing", "closing"]] },
  { name: "queue", label: "Queue from", type: "number" },
  { name: "order", label: "Order", choices: [
    ["oldest", "oldest first"], ["newest", "newest first"], ["queue", "longest queue"],
    ["in", "most messages in"], ["out", "most messages out"], ["rtt", "slowest round trip"], ["last", "latest message"]] },
];

const COLUMNS = [
  { label: "Socket", class: "c-pid mono", text: (row) => shortPid(row.pid), title: (row) => row.pid },
  { label: "User", class: "c-user", text: (row) => row.user || "–" },
  { label: "Path", class: "c-path mono", text: (row) => row.path },
  { label: "Address", class: "c-address mono", text: (row) => row.address },
  { label: "Target", class: "c-target mono", text: (row) => row.target_name || shortPid(row.target ?? "–") },
  { label: "State", class: "c-state", text: (row) => row.state },
  { label: "Queue", class: "c-number", text: (row) => count(row.queue) },
  { label: "In", class: "c-number c-in", text: (row) => count(row.messages_in) },
  { label: "Out", class: "c-number c-out", text: (row) => count(row.messages_out) },
  { label: "Last", class: "c-number c-last", text: (row) => lastOf(row) },
  { label: "RTT", class: "c-number c-rtt", text: (row) => milliseconds(row.rtt) },
  { label: "Age", class: "c-number c-age", text: (row) => duration(row.age) },
];

// How long ago the last message was, in any direction.
function lastOf({ last_in: came, last_out: went }) {
  if (came === null && went === null) return "–";
  return duration(Math.min(came ?? went, went ?? came));
}

export function socketsView(page, _, query) {
  const wanted = Object.fromEntries(FIELDS.map(({ name }) => [name, query.get(name) ?? ""]));
  wanted.order ||= "oldest";
  wanted.node = query.get("node") ?? "";
  const sum = make("p", { class: "muted sum", role: "status" });
  const list = new List({
    label: "Sockets",
    columns: page.mayAct ? [...COLUMNS, endColumn(page)] : COLUMNS,
    open: (row) => address("socket", row.pid),
    rowClass: (row) => (row.queue > 0 ? "busy" : ""),
    empty: "No socket is open that fits.",
    fetch: async (offset, limit) => {
      const found = await page.link.ask("sockets", { ...question(wanted), offset, limit });
      setText(sum, `${count(found.total)} of ${count(found.open)}`);
      return found;
    },
  });
  const filters = filtersOf(wanted, () => {
    const { order, ...rest } = wanted;
    page.remember(asking("sockets", { ...rest, order: order === "oldest" ? "" : order }));
    list.restart().catch(() => {});
  });
  return {
    title: wanted.node ? `Sockets of ${wanted.node}` : "Sockets",
    element: make("div", { class: "stack tall" }, filters, sum, list.element),
    every: 2000,
    poll: () => list.refresh(),
  };
}

// A button in each row, which says what it is about also where its row is not seen.
function endColumn(page) {
  const shown = new WeakMap();
  return {
    label: "End",
    class: "c-end",
    fill(cell, row) {
      const ending = endingOf(page, row);
      if (!ending) {
        cell.replaceChildren();
        return;
      }
      const press = cell.querySelector("button") ?? button("", () => shown.get(press)?.(), "small");
      // An element of the list is used for one socket after the other.
      shown.set(press, () => ending.ask(page, row));
      setText(press, ending.text);
      press.setAttribute("aria-label", `${ending.text} ${shortPid(row.pid)}`);
      if (!press.isConnected) cell.replaceChildren(press);
    },
  };
}

function question(wanted) {
  return { ...wanted, queue: Number.parseInt(wanted.queue, 10) || 0 };
}

function filtersOf(wanted, changed) {
  let timer = null;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(changed, 250);
  };
  const inputs = FIELDS.map((field) => inputOf(field, wanted, later));
  const [search, ...rest] = inputs;
  const order = rest.pop();
  const isOpen = FIELDS.slice(1, -1).some(({ name }) => wanted[name]);
  return make("form", { class: "filters", role: "search", submit: (event) => event.preventDefault() },
    make("div", { class: "filter-row" }, search, order),
    make("details", { open: isOpen }, make("summary", {}, "More filters"), make("div", { class: "filter-grid" }, rest)));
}

function inputOf({ name, label, type = "text", choices = null, hint = "" }, wanted, changed) {
  const id = `filter-${name}`;
  const input = choices
    ? make("select", { id }, choices.map(([value, text]) => make("option", { value }, text)))
    : make("input", { id, type, autocomplete: "off", placeholder: hint || null, min: type === "number" ? "0" : null });
  input.value = wanted[name];
  input.addEventListener("input", () => {
    wanted[name] = input.value;
    changed();
  });
  return make("div", { class: "field" }, make("label", { for: id }, label), input);
}
