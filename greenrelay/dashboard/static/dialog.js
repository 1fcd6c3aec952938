// Asks before something is done, and says afterwards what was.

import { byId, make } from "./dom.js";

// Shows a form and returns its values, or null when it was left. A field is
// {name, label, value, type, rows, hint, required}.
export function askFor({ title, text = "", fields = [], confirm, dangerous = false }) {
  const dialog = byId("dialog");
  const inputs = fields.map((field) => fieldOf(field));
  const leave = make("button", { type: "button", click: () => dialog.close("") }, "Cancel");
  const form = make("form", { method: "dialog", class: "form" },
    make("h2", { id: "dialog-title" }, title),
    text ? make("p", { class: "muted" }, text) : null,
    inputs.map(({ row }) => row),
    make("div", { class: "buttons" }, leave,
      make("button", { type: "submit", value: "yes", class: dangerous ? "dangerous" : "primary" }, confirm)));
  dialog.replaceChildren(form);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const values = Object.fromEntries(inputs.map(({ name, input }) => [name, input.value]));
      resolve(dialog.returnValue === "yes" ? values : null);
    }, { once: true });
  });
}

function fieldOf({ name, label, value = "", type = "text", rows = 0, hint = "", required = false }) {
  const id = `field-${name}`;
  const described = hint ? `${id}-hint` : null;
  const input = rows
    ? make("textarea", { id, rows, spellcheck: "false", required, "aria-describedby": described })
    : make("input", { id, type, required, autocomplete: "off", "aria-describedby": described });
  input.value = value;
  const row = make("div", { class: "field" }, make("label", { for: id }, label), input,
    hint ? make("p", { id: described, class: "hint" }, hint) : null);
  return { name, input, row };
}

let timer = null;

// Says something for a few seconds.
export function say(text, isBad = false) {
  const toast = byId("toast");
  toast.textContent = text;
  toast.classList.toggle("bad", isBad);
  clearTimeout(timer);
  timer = setTimeout(() => { toast.textContent = ""; }, 6000);
}
