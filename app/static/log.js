// The log of a room: messages, pictures, notices, and staying at the bottom while one reads there.

import { avatar, byId, make, timeOf } from "./dom.js";

const MAX_LINES = 300;
const SAME_BREATH_SECONDS = 180;

const log = byId("log");
const lines = byId("lines");
const newest = byId("newest");
const pictures = new Map(); // message id -> its <figure> that has no picture yet
let last = null; // the last message, to see whether the next one belongs to the same breath
let sticks = true;

log.addEventListener("scroll", () => {
  sticks = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  if (sticks) newest.hidden = true;
});
new ResizeObserver(() => sticks && toBottom()).observe(log);
newest.addEventListener("click", () => {
  toBottom();
  byId("text").focus();
});

// Shows the history of a room instead of what was there. Screen readers are not read all of it.
export function showHistory(messages, isMine) {
  log.setAttribute("aria-busy", "true");
  for (const line of [...lines.children]) remove(line);
  pictures.clear();
  last = null;
  sticks = true;
  for (const message of messages) addMessage(message, isMine(message));
  showEmpty();
  toBottom();
  requestAnimationFrame(() => log.removeAttribute("aria-busy"));
}

// Adds a message, a picture's message or a notice of the history.
export function addMessage(message, isMine) {
  if (message.kind === "notice") {
    addNotice(message.text, message.at);
    return;
  }
  const line = make("li", isMine ? "line mine" : "line");
  line.dataset.id = message.id;
  if (belongsToLast(message)) line.classList.add("again");
  const who = make("p", "who", make("strong", "", isMine ? "You" : message.nick), " ", timeOf(message.at));
  const bubble = make("div", "bubble", who);
  if (message.kind === "picture") bubble.append(figureOf(message));
  else bubble.append(make("p", "text", message.text));
  line.append(avatar(message.nick), bubble);
  last = message;
  add(line);
}

// Adds a line that is not a message; `at` is seconds since the epoch.
export function addNotice(text, at = Date.now() / 1000) {
  last = null;
  add(make("li", "notice", make("span", "", text), " ", timeOf(at)));
}

// Puts a picture where its message waits for it.
export function showPicture(id, blob) {
  const figure = pictures.get(id);
  if (!figure) return;
  pictures.delete(id);
  const image = make("img");
  image.alt = figure.dataset.alt;
  image.addEventListener("load", () => sticks && toBottom());
  image.src = URL.createObjectURL(blob);
  figure.querySelector(".waiting").replaceWith(image);
}

function figureOf(message) {
  const figure = make("figure", "picture");
  figure.dataset.alt = message.text || `Picture from ${message.nick}`;
  if (message.lost) {
    figure.append(make("p", "waiting", "This picture is no longer kept."));
  } else {
    figure.append(make("p", "waiting", "Picture on its way"));
    pictures.set(message.id, figure);
  }
  if (message.text) figure.append(make("figcaption", "text", message.text));
  return figure;
}

function belongsToLast(message) {
  return last !== null && last.pid === message.pid && message.at - last.at < SAME_BREATH_SECONDS;
}

function add(line) {
  lines.append(line);
  while (lines.children.length > MAX_LINES) remove(lines.firstElementChild);
  showEmpty();
  if (sticks) toBottom();
  else newest.hidden = false;
}

function remove(line) {
  const image = line.querySelector("figure img");
  if (image) URL.revokeObjectURL(image.src);
  line.remove();
}

function showEmpty() {
  byId("empty").hidden = lines.querySelector(".line") !== null;
}

function toBottom() {
  log.scrollTop = log.scrollHeight;
  newest.hidden = true;
}
