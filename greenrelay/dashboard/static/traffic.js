// Messages as they come: what goes over a socket, or what a process is sent.

import { button, make, pidLink, setText } from "./dom.js";
import { bytes, count, timeOfDay } from "./format.js";

const KEPT_LINES = 300;

export class Traffic {
  isOn = true;
  #paused = false;

  constructor(title, hint) {
    this.lines = make("ol", { class: "traffic", tabindex: "0", "aria-label": "Messages, the newest first" });
    this.sum = make("p", { class: "muted", role: "status" }, hint);
    this.toggle = button("Pause", () => this.#turn());
    this.element = make("section", { class: "sheet" },
      make("div", { class: "heading" }, make("h2", {}, title), this.toggle), this.sum, this.lines);
  }

  #turn() {
    this.#paused = !this.#paused;
    this.isOn = !this.#paused;
    this.toggle.textContent = this.#paused ? "Look again" : "Pause";
  }

  add(seen, missed) {
    if (missed) this.lines.prepend(make("li", { class: "muted" }, `${count(missed)} more were not kept`));
    for (const each of seen) {
      this.lines.prepend(make("li", { class: each.direction },
        make("span", { class: "when mono" }, timeOfDay(each.at)),
        make("span", { class: "way" }, wayOf(each)),
        make("span", { class: "muted mono" }, each.size === undefined ? each.topic : `${each.topic}, ${bytes(each.size)}`),
        make("span", { class: "said mono" }, each.text)));
    }
    while (this.lines.children.length > KEPT_LINES) this.lines.lastChild.remove();
    if (seen.length) setText(this.sum, `Last message at ${timeOfDay(seen.at(-1).at)}`);
  }

  // Says why there is nothing to see.
  cannot(why) {
    this.toggle.hidden = true;
    setText(this.sum, why);
  }

  end() {
    this.toggle.hidden = true;
    setText(this.sum, "It is over.");
  }
}

// A message of a process has a peer, "" for nobody; one of a socket has none.
function wayOf({ direction, peer }) {
  const word = direction === "in" ? "from" : "to";
  if (peer === undefined) return `${word} client`;
  return peer ? [`${word} `, pidLink(peer)] : `${word} nobody`;
}
