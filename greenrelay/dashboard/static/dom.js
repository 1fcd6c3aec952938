// Making and finding elements. Text goes in as text: nothing here or anywhere parses HTML.

export const byId = (id) => document.getElementById(id);

// Makes <tag> with attributes, properties that are functions (listeners), and children.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// Makes an element of a drawing.
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Sets a text only where it is another, so that a selection in it stays.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Makes the children of an element what `wanted` are, and leaves alone what is the same: the focus, a
// selection and an open part stay. For what has no listeners.
export function patch(element, wanted) {
  const nodes = [...wanted].flat(Infinity).map((node) => (typeof node === "string" ? document.createTextNode(node) : node));
  nodes.forEach((node, index) => {
    const old = element.childNodes[index];
    if (!old) element.append(node);
    else if (old.nodeName !== node.nodeName) old.replaceWith(node);
    else if (old.nodeType === Node.TEXT_NODE) setText(old, node.textContent);
    else patchElement(old, node);
  });
  while (element.childNodes.length > nodes.length) element.lastChild.remove();
}

function patchElement(old, node) {
  for (const { name, value } of [...node.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!node.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  patch(old, node.childNodes);
}

// Makes a button.
export function button(text, press, kind = "") {
  return make("button", { type: "button", class: kind, click: press }, text);
}

// Makes a link to a view of the page.
export function linkTo(view, text, attributes = {}) {
  return make("a", { href: view, ...attributes }, text);
}

// The address of a view; each part is what it says, whatever is in it.
export function address(view, ...parts) {
  return `#/${[view, ...parts.map(encodeURIComponent)].join("/")}`;
}

// The same with a question: empty values are left out.
export function asking(view, values) {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== 0);
  const query = new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
  return given.length ? `#/${view}?${query}` : `#/${view}`;
}

// Makes a link to a process or socket, shortened to what tells it from others.
export function pidLink(pid, { view = "process", name = "" } = {}) {
  if (!pid) return make("span", { class: "muted" }, "–");
  return linkTo(address(view, pid), name || shortPid(pid), { class: "mono", title: pid });
}

let ownNode = "";

// Says which node the page looks at.
export function knowNode(node) {
  ownNode = node;
}

// {node.4f1c@app:gateway|12} is gateway|12 to somebody who looks at that node, and node.4f1c gateway|12
// to others.
export function shortPid(pid) {
  const match = /^\{([^@]*)@(?:[^:|]*:)?([^|]*\|[^}]*)\}$/.exec(pid);
  if (!match) return pid;
  return ownNode && match[1] !== ownNode ? `${match[1]} ${match[2]}` : match[2];
}

// The node of a process.
export function nodeOf(pid) {
  return /^\{([^@]*)@/.exec(pid)?.[1] ?? "";
}

// Makes a list of terms: pairs of a text and a node or text.
export function facts(pairs) {
  const rows = pairs.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, value === "" ? "–" : value ?? "–")));
  return make("dl", { class: "facts" }, rows);
}

// Makes a part of a view with a heading.
export function section(title, ...children) {
  return make("section", { class: "sheet" }, make("h2", {}, title), ...children);
}

function cellOf(cell, index) {
  if (typeof cell === "number") return make("td", { class: "number" }, cell.toLocaleString());
  return make("td", { class: index ? null : "first" }, cell ?? "–");
}

// Makes a plain table of a few rows; a wide one scrolls by itself.
export function table(label, heads, rows, empty = "Nothing yet.") {
  if (!rows.length) return make("p", { class: "muted" }, empty);
  const head = make("tr", {}, heads.map((text, index) =>
    make("th", { scope: "col", class: typeof rows[0][index] === "number" ? "number" : null }, text)));
  const body = rows.map((cells) => make("tr", {}, cells.map(cellOf)));
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    make("table", {}, make("thead", {}, head), make("tbody", {}, body)));
}
