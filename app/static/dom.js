// Making and finding elements. Text goes in as text: nothing here or anywhere parses HTML.

export const byId = (id) => document.getElementById(id);

// Makes <tag class="className"> with children, which are nodes or text.
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// Makes the round badge with somebody's initial, in a colour that stays the same for the name.
export function avatar(nick) {
  const badge = make("span", "avatar", [...nick][0].toUpperCase());
  let hue = 7;
  for (const character of nick) hue = (hue * 31 + character.codePointAt(0)) % 360;
  badge.style.setProperty("--hue", hue);
  badge.setAttribute("aria-hidden", "true");
  return badge;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const exactClock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

// Makes <time> of seconds since the epoch.
export function timeOf(seconds) {
  const date = new Date(seconds * 1000);
  const element = make("time", "", clock.format(date));
  element.dateTime = date.toISOString();
  element.title = calendar.format(date);
  return element;
}

// Returns the time of day of milliseconds since the epoch, to the second.
export const exactTime = (milliseconds) => exactClock.format(milliseconds);
