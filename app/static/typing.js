// Who is writing: told to the room now and then while one writes, forgotten after a few seconds.

import { byId } from "./dom.js";

const TELL_EVERY_MS = 2000;
const FORGET_AFTER_MS = 4500;

const writers = new Map(); // pid -> {nick, timer}
let toldAt = 0;

// Tells the room that I am writing, at most every two seconds.
export function sayTyping(connection) {
  const now = Date.now();
  if (now - toldAt < TELL_EVERY_MS) return;
  toldAt = now;
  connection.sendObject({ type: "typing" });
}

// Makes the next key count as the beginning of a new message.
export function saidSomething() {
  toldAt = 0;
}

// Shows that somebody is writing.
export function showTyping(pid, nick) {
  clearTimeout(writers.get(pid)?.timer);
  writers.set(pid, { nick, timer: setTimeout(() => clearTyping(pid), FORGET_AFTER_MS) });
  show();
}

// Forgets one writer, or all of them.
export function clearTyping(pid) {
  for (const [writer, { timer }] of writers) {
    if (pid !== undefined && writer !== pid) continue;
    clearTimeout(timer);
    writers.delete(writer);
  }
  show();
}

function show() {
  const nicks = [...writers.values()].map(({ nick }) => nick);
  const words = { 0: "", 1: `${nicks[0]} is writing`, 2: `${nicks.join(" and ")} are writing` };
  byId("typing").textContent = words[nicks.length] ?? "Several people are writing";
}
