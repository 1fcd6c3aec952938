// A line of the last figures. What it shows is said in text beside it, so to a screen reader it is
// nothing.

import { draw, make } from "./dom.js";

const WIDTH = 200;
const HEIGHT = 44;
export const POINTS = 90;

export class Chart {
  #values = [];

  constructor() {
    this.line = draw("path", { class: "line" });
    this.area = draw("path", { class: "area" });
    this.element = draw("svg", {
      class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true",
    }, this.area, this.line);
  }

  // Adds a figure; the oldest of POINTS goes.
  add(value) {
    this.#values.push(value);
    if (this.#values.length > POINTS) this.#values.shift();
    const top = Math.max(...this.#values, 1e-9);
    const step = WIDTH / (POINTS - 1);
    const left = WIDTH - (this.#values.length - 1) * step;
    const points = this.#values.map((each, index) =>
      `${(left + index * step).toFixed(1)},${(HEIGHT - 3 - (each / top) * (HEIGHT - 8)).toFixed(1)}`);
    this.line.setAttribute("d", `M${points.join("L")}`);
    this.area.setAttribute("d", `M${left.toFixed(1)},${HEIGHT}L${points.join("L")}L${WIDTH},${HEIGHT}Z`);
  }
}

// A figure with its name, and a line of its past.
export class Tile {
  constructor(label, { href = null, hint = "" } = {}) {
    this.value = make("span", { class: "value" }, "–");
    this.hint = make("span", { class: "hint" }, hint);
    this.chart = new Chart();
    const inner = [make("span", { class: "label" }, label), this.value, this.hint, this.chart.element];
    this.element = href ? make("a", { class: "tile", href }, inner) : make("div", { class: "tile" }, inner);
  }

  show(text, value, hint = null) {
    if (this.value.textContent !== text) this.value.textContent = text;
    if (hint !== null && this.hint.textContent !== hint) this.hint.textContent = hint;
    this.chart.add(value);
  }
}
