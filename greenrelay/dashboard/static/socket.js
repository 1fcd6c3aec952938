// One socket: who, whereto, how it does, and what goes over it while one looks.

import { askFor } from "./dialog.js";
import { asking, button, facts, linkTo, make, nodeOf, patch, pidLink, section, shortPid } from "./dom.js";
import { askToClose, askToKill } from "./endings.js";
import { ago, bytes, codeText, count, dayAndTime, duration, milliseconds } from "./format.js";
import { Traffic } from "./traffic.js";

export function socketView(page, [pid]) {
  const details = make("div", { class: "columns" });
  const buttons = make("div", { class: "buttons" });
  const tail = new Traffic("Live traffic", "What goes over it from now on is shown here.");
  const over = make("div", { class: "stack" });
  let shown = null;

  async function poll() {
    const { socket, closed, seen, missed } = await page.link.ask("socket", { pid, tail: tail.isOn });
    if (!socket) {
      patch(over, [ending(closed)]);
      buttons.replaceChildren();
      details.replaceChildren();
      tail.end();
      return;
    }
    const isElsewhere = nodeOf(pid) !== page.node;
    if (shown === null && page.mayAct && pid !== page.you) buttons.replaceChildren(...actionsOf(page, pid, () => shown).slice(isElsewhere ? -1 : 0));
    shown = socket;
    patch(details, sheets(socket));
    if (isElsewhere) tail.cannot("The page of its own node shows what goes over it.");
    tail.add(seen, missed);
  }

  return {
    title: `Socket ${shortPid(pid)}`,
    element: make("div", { class: "stack" }, over, details, tail.element),
    actions: buttons,
    every: 700,
    poll,
    // The desk looks away: nobody is to pay for a tail that nobody sees.
    close: () => page.link.ask("socket", { pid, tail: false }).catch(() => {}),
  };
}

function sheets(socket) {
  const metadata = Object.entries(socket.metadata).map(([name, value]) => [name, make("span", { class: "mono" }, value)]);
  const context = Object.entries(socket.context).map(([name, value]) => [name, make("span", { class: "mono" }, value)]);
  const user = socket.user ? linkTo(asking("sockets", { user: socket.user }), socket.user, { title: "All sockets of this user" }) : "–";
  return [
    section("Handshake", facts([
      ["PID", make("span", { class: "mono" }, socket.pid)],
      ["Kind", socket.kind],
      ["User", user],
      ["Address", linkTo(asking("sockets", { address: socket.address }), socket.address || "–", { class: "mono" })],
      ["Path", make("span", { class: "mono" }, socket.path)],
      ["Route", make("span", { class: "mono" }, socket.route)],
      ["Subprotocol", socket.subprotocol],
      ["Compression", socket.compressed ? "on" : "off"],
    ])),
    section("Relay", facts([
      ["State", socket.state],
      ["Target", pidLink(socket.target, { name: socket.target_name })],
      ["Topic", make("span", { class: "mono" }, socket.message_topic)],
      ["Open for", duration(socket.age)],
      ["Round trip", milliseconds(socket.rtt)],
      ["Messages in", `${count(socket.messages_in)}, ${bytes(socket.bytes_in)}, the last ${ago(socket.last_in)}`],
      ["Messages out", `${count(socket.messages_out)}, ${bytes(socket.bytes_out)}, the last ${ago(socket.last_out)}`],
      ["Queue", `${count(socket.queue)} of ${count(socket.queue_limit)}, ${bytes(socket.queue_bytes)} of ${bytes(socket.queue_bytes_limit)}`],
      ["When full", socket.slow_policy.replaceAll("_", " ")],
      ["Groups", socket.groups.join(", ")],
      ["As a process", linkTo(`#/process/${encodeURIComponent(socket.pid)}`, "links, monitors")],
    ])),
    section("Metadata", metadata.length ? facts(metadata) : make("p", { class: "muted" }, "None."),
      context.length ? [make("h3", {}, "Context"), facts(context)] : ""),
  ].filter(Boolean);
}

function ending(closed) {
  if (!closed) {
    return make("p", { class: "notice" }, "This socket is over, longer ago than is kept.");
  }
  return section("This socket is over", facts([
    ["Code", codeText(closed.code)],
    ["Reason", closed.reason],
    ["Closed by", closed.by_client ? "the client" : "the server"],
    ["Clean", closed.clean ? "yes, with a closing handshake" : "no"],
    ["At", dayAndTime(closed.at)],
    ["After", duration(closed.duration)],
    ["User", closed.user],
    ["Path", make("span", { class: "mono" }, closed.path)],
    ["Messages", `${count(closed.messages_in)} in, ${count(closed.messages_out)} out`],
  ]));
}

function actionsOf(page, pid, socket) {
  return [
    button("Send…", async () => {
      const values = await askFor({ title: "Send to this client", fields: [{ name: "text", label: "Text", rows: 4, required: true }], confirm: "Send" });
      if (values) await page.act("send", { pid, ...values });
    }),
    button("Transfer…", async () => {
      const values = await askFor({
        title: "Hand this socket to another process",
        text: "The old target gets ws.leave, the new one ws.join. The client notices nothing.",
        fields: [{ name: "target", label: "PID or name of the new target", required: true }],
        confirm: "Transfer",
      });
      if (values) await page.act("transfer", { pid, ...values });
    }),
    button("Close…", () => askToClose(page, socket())),
    button("Kill…", () => askToKill(page, socket()), "dangerous"),
  ];
}
