// The two panels beside the log: rooms, people and what is known of the connection.

import { avatar, byId, exactTime, make } from "./dom.js";

const narrow = matchMedia("(max-width: 959px)");
const backdrop = byId("backdrop");
const covered = document.querySelectorAll(".top, .middle");
const drawers = [
  { toggle: byId("rooms-toggle"), panel: byId("rooms-panel") },
  { toggle: byId("people-toggle"), panel: byId("people-panel") },
];

// Lists the rooms; `move(room)` is called for the one that is chosen.
export function showRooms(rooms, current, move) {
  const known = rooms.some(({ room }) => room === current);
  const all = known ? rooms : [...rooms, { room: current, people: 1 }];
  // Rooms with somebody in them first; each group by name, so that nothing jumps as people come.
  all.sort((one, other) => !one.people - !other.people || one.room.localeCompare(other.room));
  const rows = all.map(({ room, people }) => {
    const button = make("button", "room", make("span", "name", room), make("span", "count", String(people)));
    button.type = "button";
    const here = room === current;
    const full = people === 0 ? "empty" : people === 1 ? "1 person" : `${people} people`;
    button.setAttribute("aria-label", `${here ? "" : "Move to "}${room}, ${full}`);
    if (here) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => (here ? closeDrawers() : move(room)));
    button.dataset.room = room;
    return make("li", "", button);
  });
  replaceKeepingFocus(byId("rooms"), rows);
}

// Lists who is here; `kick(pid)` is called for the one whose button is pressed.
export function showPeople(people, myPid, kick) {
  const rows = people.map(({ pid, nick }) => {
    const row = make("li", "person", avatar(nick), make("span", "name", nick));
    row.title = pid;
    row.dataset.nick = nick;
    if (nodeOf(pid) !== nodeOf(myPid)) row.append(elsewhere(pid));
    if (pid === myPid) {
      row.append(make("span", "badge", "you"));
      return row;
    }
    const button = make("button", "quiet", "Kick");
    button.type = "button";
    button.setAttribute("aria-label", `Kick ${nick}`);
    button.addEventListener("click", () => kick(pid));
    row.append(button);
    return row;
  });
  replaceKeepingFocus(byId("people"), rows);
  byId("people-count").textContent = people.length;
  byId("alone").hidden = people.length !== 1;
}

// The node in a PID, "{node@host|number}": of each worker its own.
function nodeOf(pid) {
  return pid.slice(1, pid.indexOf("@"));
}

function elsewhere(pid) {
  const node = nodeOf(pid);
  const badge = make("span", "badge far", node.slice(node.lastIndexOf(".") + 1));
  badge.title = `connected to another worker, ${node}`;
  return badge;
}

// Shows addresses; a PID is an address and gives nobody any power.
export function showPids(roomPid, myPid) {
  byId("room-pid").textContent = roomPid;
  byId("my-pid").textContent = myPid;
}

// Shows what the connection itself knows.
export function showConnection({ socketsOpened, onlineSince, lastClose }) {
  byId("sockets").textContent = socketsOpened;
  if (onlineSince) byId("since").textContent = exactTime(onlineSince);
  if (lastClose) byId("last-close").textContent = `${describeClose(lastClose)}, at ${exactTime(lastClose.at)}`;
}

// Shows the round trip of the last heartbeat, in seconds or null.
export function showPulse(rtt) {
  if (rtt !== null) byId("rtt").textContent = `${(rtt * 1000).toFixed(1)} ms`;
}

// Returns a close code with its reason, in words.
export function describeClose({ code, reason }) {
  if (reason) return `${code} ${reason}`;
  return code === 1006 ? "1006 connection lost" : String(code);
}

// A rebuilt list must not throw the keyboard user's focus away.
function replaceKeepingFocus(list, rows) {
  const index = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  list.replaceChildren(...rows);
  if (index < 0) return;
  const buttons = list.querySelectorAll("button");
  (buttons[Math.min(index, buttons.length - 1)] ?? byId("text")).focus();
}

// On a narrow screen the panels are drawers, and what they cover is out of reach.

export function closeDrawers() {
  for (const { toggle, panel } of drawers) {
    toggle.setAttribute("aria-expanded", "false");
    panel.classList.remove("open");
  }
  backdrop.hidden = true;
  for (const element of covered) element.inert = false;
}

function openDrawer({ toggle, panel }) {
  closeDrawers();
  toggle.setAttribute("aria-expanded", "true");
  panel.classList.add("open");
  backdrop.hidden = false;
  for (const element of covered) element.inert = true;
  panel.querySelector(".shut").focus();
}

function closeOpenDrawer() {
  const drawer = drawers.find(({ panel }) => panel.classList.contains("open"));
  if (!drawer) return;
  closeDrawers();
  drawer.toggle.focus();
}

for (const drawer of drawers) {
  drawer.toggle.addEventListener("click", () => openDrawer(drawer));
  drawer.panel.querySelector(".shut").addEventListener("click", closeOpenDrawer);
}
backdrop.addEventListener("click", closeOpenDrawer);
narrow.addEventListener("change", closeDrawers);
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") closeOpenDrawer();
});
