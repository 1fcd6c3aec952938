// What kept the hub busy, and other warnings and errors of greenrelay.

import { make } from "./dom.js";
import { dayAndTime, timeOfDay } from "./format.js";

export function logView(page) {
  const lines = make("ol", { class: "log" });
  const empty = make("p", { class: "muted" }, "Nothing was reported: the hub was never stuck, and nothing has crashed.");
  const choice = make("select", { id: "log-kind" },
    [["", "all"], ["hub", "what kept the hub busy"], ["log", "other warnings and errors"]].map(([value, text]) => make("option", { value }, text)));
  let newest = null;
  choice.addEventListener("input", () => {
    newest = null;
    poll().catch(() => {});
  });

  async function poll() {
    const { reports } = await page.link.ask("reports", { kind: choice.value });
    const first = reports[0]?.number ?? 0;
    if (first === newest) return;
    newest = first;
    empty.hidden = reports.length > 0;
    lines.replaceChildren(...reports.map((each) => {
      const [head, ...rest] = each.text.split("\n");
      return make("li", { class: `sheet ${each.kind}` },
        make("p", { class: "meta" },
          make("span", { class: `badge ${each.level.toLowerCase()}` }, each.kind === "hub" ? "hub stuck" : each.level.toLowerCase()),
          make("time", { title: dayAndTime(each.at), class: "mono" }, timeOfDay(each.at)),
          make("span", { class: "muted mono" }, each.logger)),
        make("p", { class: "wrap" }, head),
        rest.length ? make("details", {}, make("summary", {}, "Where"), make("pre", { class: "code", tabindex: "0", "aria-label": "Stack" }, rest.join("\n"))) : null);
    }));
  }

  return {
    title: "Hub and log",
    element: make("div", { class: "stack" },
      make("div", { class: "filter-row" }, make("div", { class: "field" }, make("label", { for: "log-kind" }, "Show"), choice)), empty, lines),
    every: 2000,
    poll,
  };
}
