// The page: joins the forms, the connection, the log and the panels.
// The frames' shapes are described in app/command.py (out) and app/frame.py (in).

import { Connection } from "./connection.js";
import { enterThrough, roomProblem } from "./door.js";
import { byId } from "./dom.js";
import { addMessage, addNotice, showHistory, showPicture } from "./log.js";
import { closeDrawers, describeClose, showConnection, showPeople, showPids, showPulse, showRooms } from "./panel.js";
import { pack, pictureIn, shrink, unpack } from "./picture.js";
import { clearTyping, saidSomething, sayTyping, showTyping } from "./typing.js";

const PROBLEM_MS = 6000;

const connection = new Connection(new URL("ws/chat", document.baseURI));
const text = byId("text");
const myPids = new Set(); // this tab's connections so far: what they said is mine
let me = { pid: "", nick: "" };
let unread = 0;
let problemTimer = null;

// What comes in

const handlers = {
  welcome(frame) {
    const isKnown = myPids.has(frame.pid);
    const isBack = myPids.size > 0 && !isKnown;
    me = { pid: frame.pid, nick: frame.nick };
    myPids.add(frame.pid);
    connection.room = frame.room;
    byId("room-name").textContent = frame.room;
    history.replaceState(null, "", `#${frame.room}`);
    showTitle();
    clearTyping();
    showHistory(frame.history, ({ pid }) => myPids.has(pid));
    if (frame.how === "transfer") addNotice(`You are in ${frame.room} now, on the same socket`, frame.now);
    if (isBack) addNotice("You are back, on a new socket", frame.now);
    showPeople(frame.people, me.pid, kick);
    // Who is welcomed once more, with more of the history, has the rooms already.
    if (!isKnown || frame.how === "transfer") showRooms([], frame.room, move);
    showPids(frame.room_pid, frame.pid);
    announce(`In room ${frame.room}, ${frame.people.length} online`);
  },
  message({ message }) {
    clearTyping(message.pid);
    addMessage(message, myPids.has(message.pid));
    if (document.hidden) unread += 1;
    showTitle();
  },
  notice: ({ text, at }) => addNotice(text, at),
  people: ({ people }) => showPeople(people, me.pid, kick),
  rooms: ({ rooms }) => showRooms(rooms, connection.room, move),
  typing: ({ pid, nick }) => showTyping(pid, nick),
  pulse: ({ rtt }) => showPulse(rtt),
  error: ({ text }) => showProblem(`That did not work: ${text}.`),
};

connection.addEventListener("text", ({ detail }) => {
  const frame = JSON.parse(detail);
  handlers[frame.type]?.(frame);
});
connection.addEventListener("binary", ({ detail }) => {
  const { id, blob } = unpack(detail);
  showPicture(id, blob);
});
connection.addEventListener("closed", ({ detail }) => {
  if (!detail.wasOnline) return;
  addNotice(`Connection closed: ${describeClose(detail)}`);
  clearTyping();
  announce(`Connection closed: ${describeClose(detail)}`);
});
connection.addEventListener("state", showState);
setInterval(showState, 250);

// How the connection is

function showState() {
  const { state, lastClose } = connection;
  const seconds = Math.max(1, Math.ceil((connection.retryAt - Date.now()) / 1000));
  const closed = lastClose ? describeClose(lastClose) : "never opened";
  const words = {
    connecting: "Connecting",
    online: "Online",
    waiting: `Reconnecting in ${seconds} s`,
    closed: lastClose ? `Closed ${lastClose.code}` : "Closed",
  };
  setText(byId("state-text"), words[state]);
  byId("state").dataset.state = byId("chat").dataset.state = state;
  const isOnline = state === "online";
  byId("send").disabled = byId("picture").disabled = byId("crash").disabled = !isOnline;
  byId("people").inert = !isOnline;
  byId("banner").hidden = isOnline || (state === "connecting" && !lastClose);
  byId("banner").dataset.state = state;
  setText(byId("banner-text"), bannerText(state, closed, seconds));
  setText(byId("banner-action"), state === "closed" ? "Join again" : "Try now");
  byId("banner-action").hidden = state === "connecting";
  showConnection(connection);
}

function bannerText(state, closed, seconds) {
  if (state === "closed") return `Closed: ${closed}. You will not be reconnected.`;
  const before = connection.lastClose ? `Closed: ${closed}.` : "The chat does not answer.";
  return state === "connecting" ? `${before} Connecting…` : `${before} Reconnecting in ${seconds} s.`;
}

// The same text again would make some screen readers read it again.
function setText(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function announce(words) {
  byId("announce").textContent = words;
}

function showProblem(words) {
  byId("problem").textContent = words;
  clearTimeout(problemTimer);
  problemTimer = setTimeout(() => (byId("problem").textContent = ""), PROBLEM_MS);
}

function showTitle() {
  document.title = `${unread ? `(${unread}) ` : ""}#${connection.room} – greenrelay chat`;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  if (connection.room) showTitle();
});

// What goes out

function kick(pid) {
  connection.sendObject({ type: "kick", pid });
}

function move(room) {
  closeDrawers();
  text.focus();
  // Without a socket there is nothing to hand over: open one to that room instead.
  if (!connection.sendObject({ type: "move", room })) connection.open(room, connection.nick);
}

async function sendPicture(file) {
  try {
    const frame = await pack(await shrink(file), text.value.trim());
    if (connection.sendBytes(frame)) text.value = "";
    fitText();
  } catch {
    showProblem("That is not a picture this browser can read.");
  }
}

function fitText() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight, 160)}px`;
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = text.value.trim();
  if (words && connection.sendObject({ type: "say", text: words })) {
    text.value = "";
    saidSomething();
  }
  fitText();
  text.focus();
});
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("composer").requestSubmit();
});
text.addEventListener("input", () => {
  fitText();
  if (text.value.trim()) sayTyping(connection);
});

byId("picture").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", ({ target }) => {
  if (target.files.length) sendPicture(target.files[0]);
  target.value = "";
});
text.addEventListener("paste", (event) => {
  const file = pictureIn(event.clipboardData);
  if (!file) return;
  event.preventDefault();
  sendPicture(file);
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const file = pictureIn(event.dataTransfer);
  if (file && connection.state === "online") sendPicture(file);
});

byId("crash").addEventListener("click", () => {
  closeDrawers();
  // The button is about to be disabled, and would take the focus along.
  byId("log").focus();
  connection.sendObject({ type: "crash" });
});
byId("banner-action").addEventListener("click", () => {
  connection.retryNow();
  text.focus();
});
addEventListener("online", () => connection.retryNow());

byId("move-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const room = byId("move-room").value.trim().toLowerCase();
  const problem = roomProblem(room);
  byId("move-problem").textContent = problem;
  if (problem) return;
  byId("move-room").value = "";
  move(room);
});

enterThrough((nick, room) => {
  byId("chat").hidden = false;
  byId("room-name").textContent = room;
  text.focus();
  connection.open(room, nick);
});
