// The page: which view is shown, and when it asks again.
//
// A view is {title, element, every, poll(), close()}: `poll` asks and draws, `every` is how many
// milliseconds lie between two of them. A page that nobody looks at asks nothing.

import { say } from "./dialog.js";
import { address, byId, knowNode, make, setText, shortPid } from "./dom.js";
import { Link } from "./link.js";
import { closesView } from "./closes.js";
import { clusterView } from "./cluster.js";
import { groupView, groupsView } from "./groups.js";
import { logView } from "./log.js";
import { overviewView } from "./overview.js";
import { processView } from "./process.js";
import { processesView } from "./processes.js";
import { servicesView } from "./services.js";
import { settingsView } from "./settings.js";
import { socketView } from "./socket.js";
import { socketsView } from "./sockets.js";

// As much of the time as an answer takes at most: what takes long is asked more rarely.
const SHARE = 20;
const VIEWS = {
  overview: { make: overviewView, label: "Overview" },
  sockets: { make: socketsView, label: "Sockets" },
  processes: { make: processesView, label: "Processes" },
  groups: { make: groupsView, label: "Groups and names" },
  services: { make: servicesView, label: "Services" },
  cluster: { make: clusterView, label: "Cluster" },
  closes: { make: closesView, label: "Closes" },
  log: { make: logView, label: "Hub and log" },
  settings: { make: settingsView, label: "Configuration" },
  socket: { make: socketView, under: "sockets" },
  process: { make: processView, under: "processes" },
  group: { make: groupView, under: "groups" },
};
const meta = (name) => document.querySelector(`meta[name="greenrelay-${name}"]`).content;

const link = new Link(new URL("socket", location.href), meta("token"));
const page = {
  link,
  mayAct: meta("role") === "full",
  you: "",
  node: "",
  // Does something and says what was done.
  async act(name, values) {
    try {
      say(await link.carryOut(name, values));
      poll();
      return true;
    } catch (error) {
      say(error.message, true);
      return false;
    }
  },
  // Changes the question of a list without a new view.
  remember(hash) {
    history.replaceState(null, "", hash);
  },
};
let view = null;
let timer = null;
let polling = false;

function show() {
  const [path, query = ""] = location.hash.replace(/^#\//, "").split("?");
  const [name, ...parts] = path.split("/");
  const found = VIEWS[name] ?? VIEWS.overview;
  const key = VIEWS[name] ? name : "overview";
  view?.close?.();
  view = found.make(page, parts.map(decodeURIComponent), new URLSearchParams(query));
  document.title = `${view.title} – greenrelay`;
  const heading = make("h1", { tabindex: "-1" }, view.title);
  byId("main").replaceChildren(
    make("div", { class: "heading" }, heading, view.actions ?? null), view.element);
  for (const item of byId("views").querySelectorAll("a")) {
    const isHere = item.dataset.view === (found.under ?? key);
    if (isHere) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
    if (isHere) item.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  poll();
  return heading;
}

async function poll() {
  clearTimeout(timer);
  if (polling || document.hidden || link.state !== "online") return;
  const shown = view;
  const began = performance.now();
  polling = true;
  try {
    await shown.poll();
  } catch (error) {
    if (shown === view && link.state === "online") say(error.message, true);
  }
  polling = false;
  const took = performance.now() - began;
  if (shown !== view) poll();
  else timer = setTimeout(poll, Math.max(view.every, SHARE * took));
}

const STATES = { connecting: "Connecting", online: "Live", waiting: "Reconnecting" };

link.addEventListener("state", () => {
  byId("state").dataset.state = link.state;
  setText(byId("state-text"), STATES[link.state]);
  document.body.dataset.state = link.state;
});
link.addEventListener("hello", ({ detail }) => {
  page.you = detail.you;
  page.node = detail.node;
  knowNode(detail.node);
  setText(byId("node"), detail.node);
  byId("node").title = `You are ${shortPid(detail.you)} of node ${detail.node}`;
  poll();
});
link.addEventListener("notice", ({ detail }) => say(detail, true));
document.addEventListener("visibilitychange", poll);
addEventListener("hashchange", () => show().focus({ preventScroll: true }));

for (const [name, { label }] of Object.entries(VIEWS)) {
  if (label) {
    byId("views").append(make("li", {}, make("a", { href: address(name), "data-view": name }, label)));
  }
}
byId("sign-out").hidden = byId("sign-out").dataset.signed !== "yes";
document.body.dataset.role = meta("role");
show();
link.open();
