// The whole: what there is, what goes through, and what ends why.

import { askFor } from "./dialog.js";
import { address, asking, button, facts, linkTo, make, patch, section, table } from "./dom.js";
import { bytes, codeText, count, duration, milliseconds, rate } from "./format.js";
import { Tile } from "./chart.js";

export function overviewView(page) {
  const tiles = {
    sockets: new Tile("Sockets", { href: "#/sockets" }),
    processes: new Tile("Processes", { href: "#/processes" }),
    in: new Tile("Messages in / s", { hint: "from clients" }),
    out: new Tile("Messages out / s", { hint: "to clients" }),
    queued: new Tile("Frames that wait", { href: asking("sockets", { order: "queue" }) }),
    lag: new Tile("Hub lag", { href: address("log") }),
  };
  const details = make("div", { class: "columns" });
  const notice = make("p", { class: "notice", hidden: true });
  let before = null;

  async function poll() {
    const now = await page.link.ask("overview");
    const rates = ratesOf(before, now);
    before = now;
    tiles.sockets.show(count(now.sockets), now.sockets, `${count(now.accepted)} accepted so far`);
    tiles.processes.show(count(now.processes), now.processes, now.services === 1 ? "1 service" : `${now.services} services`);
    tiles.in.show(rate(rates.in), rates.in, `${bytes(rates.bytesIn)} a second`);
    tiles.out.show(rate(rates.out), rates.out, `${bytes(rates.bytesOut)} a second`);
    tiles.queued.show(count(now.queued), now.queued, "in queues to clients");
    const stuck = now.hub_reports === 1 ? "stuck once" : `stuck ${now.hub_reports} times`;
    tiles.lag.show(milliseconds(now.lag * 1000), now.lag, now.watchdog === null ? "no watchdog" : now.hub_reports ? stuck : "never stuck");
    notice.hidden = !now.is_draining;
    notice.textContent = "This worker drains: its sockets are closed, and it takes no new ones.";
    patch(details, sheets(now));
  }

  const element = make("div", { class: "stack" }, notice,
    make("div", { class: "tiles" }, Object.values(tiles).map((tile) => tile.element)), details);
  const actions = page.mayAct
    ? button("Drain this worker…", () => drain(page), "dangerous")
    : null;
  return { title: "Overview", element, actions, every: 1000, poll };
}

function ratesOf(before, now) {
  const seconds = before ? now.at - before.at : 0;
  // A total that was kept for a moment has not moved.
  const of = (name) => (seconds > 0 ? Math.max(0, (now[name] - before[name]) / seconds) : 0);
  return { in: of("messages_in"), out: of("messages_out"), bytesIn: of("bytes_in"), bytesOut: of("bytes_out") };
}

function sheets(now) {
  return [
    section("Closes by code", table("Closes by code", ["Code", "Closed by", "Count"],
      now.closes.map(({ code, side, count: number }) =>
        [linkTo(asking("closes", { code: /^\d+$/.test(code) ? code : "" }), codeText(code)), side, number]),
      "Nothing has closed yet.")),
    section("Refusals by cause", table("Refusals by cause", ["Cause", "Route", "Count"],
      now.refusals.map(({ cause, route, count: number }) => [cause.replaceAll("_", " "), make("span", { class: "mono" }, route), number]),
      "Nothing was refused.")),
    section("Sockets by route", table("Sockets by route", ["Route", "Kind", "Open"],
      now.routes.map(({ route, kind, open }) =>
        [linkTo(asking("sockets", { path: route.split("<")[0] }), route, { class: "mono" }), kind, open]),
      "There was no socket yet.")),
    section("Worker", facts([
      ["Process id", String(now.worker)],
      ["Memory", bytes(now.memory)],
      ["Services", linkTo("#/services", now.services_down ? `${now.services_down} of ${now.services} down` : `${now.services} up`)],
      ["Restarts", count(now.restarts)],
      ["Watchdog", now.watchdog === null ? "off" : `reports above ${duration(now.watchdog)}`],
      ...now.hosts.map(({ id, count: number, limit, dropped }) =>
        [`Host ${id}`, `${count(number)}${limit < 1e8 ? ` of ${count(limit)}` : ""}${dropped ? `, ${count(dropped)} dropped` : ""}`]),
    ])),
  ];
}

async function drain(page) {
  const values = await askFor({
    title: "Move everybody off this worker?",
    text: "Every socket is closed with 1012, spread over the drain period, and this worker refuses new ones until it is started again. This page loses its connection as well.",
    confirm: "Drain",
    dangerous: true,
  });
  if (values) await page.act("drain");
}
