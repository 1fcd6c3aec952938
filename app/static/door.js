// The form one enters through: a nickname, which is remembered, and a room, which is in the address.
// The rules are those of app/command.py; the server checks again.

import { byId } from "./dom.js";

const ROOM_NAME = /^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$/;

// Shows the form and calls `enter(nick, room)` once it is filled in well.
export function enterThrough(enter) {
  byId("nick").value = remembered();
  byId("room").value = location.hash.slice(1) || "lounge";
  byId("nick").focus();
  byId("door-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const nick = byId("nick").value.trim().replace(/\s+/g, " ");
    const room = byId("room").value.trim().toLowerCase();
    const problem = nickProblem(nick) || roomProblem(room);
    byId("door-problem").textContent = problem;
    if (problem) {
      byId(nickProblem(nick) ? "nick" : "room").focus();
      return;
    }
    remember(nick);
    byId("door").hidden = true;
    enter(nick, room);
  });
}

// Returns what is wrong with the name of a room, or "".
export function roomProblem(room) {
  if (ROOM_NAME.test(room)) return "";
  return "A room's name has 1 to 24 letters, digits and dashes, and no dash at its ends.";
}

function nickProblem(nick) {
  if (!nick) return "A nickname is needed, so that others know whom they talk to.";
  return /[\p{Cc}\p{Cf}\p{Cs}]/u.test(nick) ? "A nickname has no invisible characters." : "";
}

// Storage may be forbidden; then the nickname is asked for again next time.
function remembered() {
  try {
    return localStorage.getItem("nick") ?? "";
  } catch {
    return "";
  }
}

function remember(nick) {
  try {
    localStorage.setItem("nick", nick);
  } catch {
    // See above.
  }
}
