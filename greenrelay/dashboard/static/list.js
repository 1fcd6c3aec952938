// A list of any length of which only the rows that are seen exist: the server is asked for a window
// of rows, and elements are used again.
//
// A column is {label, text(row)} or {label, fill(cell, row)}, with a class for its width and
// alignment. To a screen reader it is a table with as many rows as there are.

import { make, setText } from "./dom.js";

const SPARE = 12;
const MOST = 150;

export class List {
  total = 0;

  #columns;
  #fetch;
  #label;
  #rows = new Map();
  #elements = new Map();
  #asked = 0;
  #scrolling = null;

  // `fetch(offset, limit)` returns {total, offset, rows}; `open(row)` is the address of a row.
  constructor({ label, columns, fetch, open = null, rowClass = () => "", empty = "There is nothing here." }) {
    this.#columns = columns;
    this.#fetch = fetch;
    this.#label = label;
    this.open = open;
    this.rowClass = rowClass;
    this.empty = make("p", { class: "empty muted", hidden: true }, empty);
    const heads = columns.map((column) =>
      make("span", { class: `cell ${column.class ?? ""}`, role: "columnheader" }, column.label));
    this.head = make("div", { class: "row head", role: "row", "aria-rowindex": "1" }, heads);
    this.sheet = make("div", { class: "rows", role: "rowgroup" });
    this.frame = make("div", { class: "list", role: "table", "aria-label": label, tabindex: "0" },
      make("div", { role: "rowgroup", class: "heads" }, this.head), this.sheet);
    this.element = make("div", { class: "list-frame" }, this.frame, this.empty);
    // On another screen rows have another height.
    new ResizeObserver(() => this.refresh().catch(() => {})).observe(this.frame);
    this.frame.addEventListener("scroll", () => this.#scrolled(), { passive: true });
  }

  // Asks for the rows that are seen, again.
  async refresh() {
    const { first, last } = this.#seen();
    await this.#load(first, last);
  }

  // Begins at the top, for another question.
  async restart() {
    this.#rows.clear();
    this.frame.scrollTop = 0;
    await this.refresh();
  }

  #rowHeight() {
    const height = getComputedStyle(this.frame).getPropertyValue("--row");
    return Number.parseFloat(height) || 44;
  }

  #seen() {
    const height = this.#rowHeight();
    const first = Math.max(0, Math.floor(this.frame.scrollTop / height) - SPARE);
    const shown = Math.ceil((this.frame.clientHeight || 600) / height) + 2 * SPARE;
    return { first, last: first + Math.min(shown, MOST) };
  }

  async #load(first, last) {
    const asked = ++this.#asked;
    const { total, offset, rows } = await this.#fetch(first, last - first);
    // A newer question was asked meanwhile: its answer counts.
    if (asked !== this.#asked) return;
    this.total = total;
    this.#rows.clear();
    rows.forEach((row, index) => this.#rows.set(offset + index, row));
    this.#draw();
  }

  #scrolled() {
    requestAnimationFrame(() => this.#draw());
    clearTimeout(this.#scrolling);
    this.#scrolling = setTimeout(() => this.refresh().catch(() => {}), 70);
  }

  #draw() {
    const height = this.#rowHeight();
    const { first, last } = this.#seen();
    this.sheet.style.height = `${this.total * height}px`;
    this.frame.setAttribute("aria-rowcount", String(this.total + 1));
    this.empty.hidden = this.total > 0;
    for (const [index, element] of this.#elements) {
      if (index < first || index >= last || index >= this.total) {
        // Whoever was at this row is left at the list.
        if (element.contains(document.activeElement)) this.frame.focus({ preventScroll: true });
        element.remove();
        this.#elements.delete(index);
      }
    }
    for (let index = first; index < Math.min(last, this.total); index += 1) {
      const element = this.#element(index);
      // Also where it was: on another screen a row is higher.
      element.style.transform = `translateY(${index * height}px)`;
      this.#fill(element, this.#rows.get(index));
    }
  }

  #element(index) {
    let element = this.#elements.get(index);
    if (element) return element;
    const cells = this.#columns.map((column) =>
      make("span", { class: `cell ${column.class ?? ""}`, role: "cell" }));
    element = make("div", { class: "row", role: "row", "aria-rowindex": String(index + 2) }, cells);
    this.#elements.set(index, element);
    // In the order in which they are read, not in that in which they were made.
    const next = this.#elements.get(index + 1) ?? null;
    this.sheet.insertBefore(element, next);
    return element;
  }

  #fill(element, row) {
    element.classList.toggle("waiting", row === undefined);
    if (row === undefined) return;
    element.dataset.pid = row.pid ?? "";
    element.className = `row ${row.is_gone ? "gone" : this.rowClass(row)}`;
    this.#columns.forEach((column, index) => {
      const cell = element.children[index];
      if (index === 0 && this.open) this.#fillLink(cell, row, column);
      else if (row.is_gone) this.#clear(cell, element);
      else if (column.fill) column.fill(cell, row);
      else setText(cell, column.text(row));
    });
  }

  // Whoever has pressed a button of this row is left at the row.
  #clear(cell, element) {
    if (cell.contains(document.activeElement)) element.querySelector("a")?.focus({ preventScroll: true });
    setText(cell, "");
  }

  // The first cell is the link of the row, which covers all of it.
  #fillLink(cell, row, column) {
    let link = cell.querySelector("a");
    if (!link) {
      link = make("a", { class: "whole" });
      cell.replaceChildren(link);
    }
    const href = this.open(row);
    if (link.getAttribute("href") !== href) link.setAttribute("href", href);
    setText(link, column.text(row));
    if (column.title) link.title = column.title(row);
    if (column.level) cell.style.setProperty("--level", column.level(row));
  }
}
