// One process: what it waits for and where, with whom it is related, and who ends it.

import { askFor } from "./dialog.js";
import { asking, button, facts, linkTo, make, nodeOf, patch, pidLink, section, shortPid, table } from "./dom.js";
import { count, duration } from "./format.js";
import { Traffic } from "./traffic.js";

export function processView(page, [pid]) {
  const details = make("div", { class: "columns" });
  const wide = make("div", { class: "stack" });
  const buttons = make("div", { class: "buttons" });
  const tail = new Traffic("Live messages", "What it gets and sends from now on is shown here.");
  let isShown = false;

  async function poll() {
    const { process, seen, missed } = await page.link.ask("process", { pid, tail: tail.isOn });
    if (!process) {
      details.replaceChildren();
      buttons.replaceChildren();
      tail.end();
      patch(wide, [make("p", { class: "notice" }, "This process has ended.")]);
      return;
    }
    if (nodeOf(pid) !== page.node) tail.cannot("The page of its own node shows its messages.");
    tail.element.hidden = ["websocket", "stream"].includes(process.entry);
    tail.add(seen, missed);
    if (!isShown && page.mayAct && pid !== page.you) buttons.replaceChildren(...actionsOf(page, pid));
    isShown = true;
    patch(details, sheets(process));
    patch(wide, wideSheets(process));
  }

  return {
    title: `Process ${shortPid(pid)}`,
    element: make("div", { class: "stack" }, details, wide, tail.element),
    actions: buttons,
    every: 1000,
    poll,
    // As for a socket: nobody is to pay for a tail that nobody sees.
    close: () => page.link.ask("process", { pid, tail: false }).catch(() => {}),
  };
}

const related = (found, total) => [
  make("ul", { class: "plain" }, found.map((each) =>
    make("li", {}, pidLink(each.pid), " ", make("span", { class: "muted" }, each.name || each.entry || "")))),
  more(found, total)];

const more = (found, total) => (total > found.length ? make("p", { class: "muted" }, `and ${count(total - found.length)} more`) : null);

function sheets(process) {
  const context = Object.entries(process.context);
  const joined = process.monitored_by.filter((each) => ["websocket", "stream"].includes(each.entry)).length;
  return [
    section("Process", facts([
      ["PID", make("span", { class: "mono" }, process.pid)],
      ["Runs", make("span", { class: "mono" }, process.entry)],
      ["Host", process.host],
      ["State", process.state],
      ["Age", duration(process.age)],
      ["Names", process.names.join(", ")],
      ["Groups", process.groups.length ? make("span", {}, process.groups.map((name) => [linkTo(`#/group/${encodeURIComponent(name)}`, name), " "])) : "–"],
      ["Sockets", joined ? linkTo(asking("sockets", { target: process.pid }), "who is connected to it") : "none"],
      ["As a socket", ["websocket", "stream"].includes(process.entry) ? linkTo(`#/socket/${encodeURIComponent(process.pid)}`, "traffic and queue") : "–"],
    ])),
    section("Inbox", facts([
      ["Waiting", count(process.depth)],
      ["At most", count(process.high_water)],
      ["Taken", count(process.messages_in)],
      ["Sent", count(process.messages_out)],
      ["Dropped", count(process.dropped)],
      ["Links kill it", process.trap_links ? "no, it traps them" : "yes"],
    ])),
    section("Relations",
      make("h3", {}, `Links (${count(process.links_count)})`), process.links.length ? related(process.links, process.links_count) : make("p", { class: "muted" }, "None."),
      make("h3", {}, `Monitors (${count(process.monitors_count)})`), process.monitors.length ? related(process.monitors, process.monitors_count) : make("p", { class: "muted" }, "None."),
      make("h3", {}, `Monitored by (${count(process.monitored_by_count)})`), process.monitored_by.length ? related(process.monitored_by.slice(0, 12), process.monitored_by_count) : make("p", { class: "muted" }, "Nobody.")),
    section("Context", context.length ? facts(context.map(([name, value]) => [name, make("span", { class: "mono" }, value)])) : make("p", { class: "muted" }, "None.")),
  ];
}

function wideSheets(process) {
  const found = [
    section("Unread messages", table("Unread messages", ["Topic", "From", "Payload"],
      process.unread.map((each) => [make("span", { class: "mono" }, each.topic), each.sender ? pidLink(each.sender) : "nobody", make("span", { class: "mono" }, each.payload)]),
      "Its inbox is empty.")),
    section("Unread events", table("Unread events", ["Event", "Process", "Reason"],
      process.events.map((each) => [each.kind, each.pid ? pidLink(each.pid) : "nobody", make("span", { class: "mono" }, each.reason)]),
      "None waits.")),
    section("Stack", process.stack && process.stack.includes("File")
      ? make("pre", { class: "code", tabindex: "0", "aria-label": "Stack" }, process.stack)
      : make("p", { class: "muted" }, "It has no greenlet now, so no stack: it waits for a message.")),
  ];
  if (process.children.length) {
    found.unshift(section("Children", table("Children", ["Id", "State", "Process", "Restarts", "Last ending"],
      process.children.map((each) => [each.id, each.state, each.pid ? pidLink(each.pid) : "–", each.restarts, each.reason])), more(process.children, process.children_count)));
  }
  return found;
}

function actionsOf(page, pid) {
  return [
    button("Send…", async () => {
      const values = await askFor({
        title: "Send a message",
        fields: [
          { name: "topic", label: "Topic", required: true },
          { name: "payload", label: "Payload", rows: 4, value: "{}", hint: "JSON; the sender is nobody." },
        ],
        confirm: "Send",
      });
      if (values) await page.act("post", { pid, ...values });
    }),
    button("Cancel…", async () => {
      const values = await askFor({ title: "Ask this process to end?", text: "It has ten seconds, then it is killed.", confirm: "Ask it" });
      if (values) await page.act("cancel", { pid });
    }),
    button("Kill…", async () => {
      const values = await askFor({ title: "Kill this process?", text: "It cannot trap this. What is linked to it ends with it.", confirm: "Kill", dangerous: true });
      if (values) await page.act("kill", { pid });
    }, "dangerous"),
  ];
}
