// The nodes of the cluster as this one sees them, their names and groups.

import { address, asking, facts, linkTo, make, nodeOf, patch, pidLink, section, table } from "./dom.js";
import { count } from "./format.js";

export function clusterView(page) {
  const notice = make("p", { class: "notice", hidden: true });
  const wide = make("div", { class: "stack" });
  const details = make("div", { class: "columns" });

  async function poll() {
    const found = await page.link.ask("cluster");
    notice.hidden = !found.is_alone && found.is_reachable;
    notice.textContent = found.is_alone
      ? "There is one node: no engine connects it with others."
      : "The engine cannot be reached: after three seconds the other nodes count as gone.";
    patch(wide, [section("Nodes", nodes(found.nodes))]);
    patch(details, found.is_alone ? [] : sheets(found));
  }

  return { title: "Cluster", element: make("div", { class: "stack" }, notice, wide, details), every: 2000, poll };
}

const HEADS = ["Node", "State", "Processes", "Sockets", "Groups", "Names", "Frames on the way", "Worker", "Incarnation"];

function nodes(found) {
  return table("Nodes", HEADS, found.map((each) => [
    make("span", { class: "mono" }, each.node, each.is_here ? " (this one)" : ""),
    each.is_draining ? `${each.state}, drains` : each.state,
    numberLink(each, "processes"),
    numberLink(each, "sockets"),
    told(each.group_count),
    told(each.name_count),
    told(each.frames),
    make("span", { class: "mono" }, each.worker === undefined ? "–" : String(each.worker)),
    make("span", { class: "mono" }, each.incarnation ?? "–"),
  ]));
}

const told = (number) => (number === undefined ? "–" : count(number));

// What a node without a dashboard has is not known here.
function numberLink(each, view) {
  if (each[view] === undefined) return "–";
  return linkTo(asking(view, { node: each.is_here ? "" : each.node }), count(each[view]), { "aria-label": `${count(each[view])} ${view} of ${each.node}` });
}

function sheets({ names, groups, counts, engine_counts: engine }) {
  return [
    section("Names of the cluster", table("Names of the cluster", ["Name", "Process", "Node"],
      names.map(({ name, pid }) => [name, pidLink(pid), make("span", { class: "mono" }, nodeOf(pid))]),
      "No process has one.")),
    section("Groups by node", table("Groups by node", ["Group", "Members"],
      groups.map(({ name, nodes: members }) => [linkTo(address("group", name), name), membersOf(members)]),
      "There is no group.")),
    section("Dropped and refused", counted({ ...counts, ...engine })),
  ];
}

function counted(found) {
  const rows = Object.entries(found).filter(([, number]) => number);
  return rows.length ? facts(rows.map(([name, number]) => [name.replaceAll("_", " "), count(number)])) : make("p", { class: "muted" }, "Nothing.");
}

function membersOf(nodes) {
  const found = Object.entries(nodes).map(([node, number]) => `${count(number)} on ${node}`);
  return found.join(", ") || "on other nodes";
}
