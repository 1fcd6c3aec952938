// What is kept alive, and how often it had to be started again.

import { make, patch, pidLink, section, table } from "./dom.js";

export function servicesView(page) {
  const element = make("div", { class: "stack" });
  return {
    title: "Services",
    element,
    every: 2000,
    async poll() {
      const { services } = await page.link.ask("services");
      patch(element, [section("Services and children of supervisors",
        table("Services", ["Id", "State", "Process", "Restarts", "Last ending", "Supervisor"],
          services.map((each) => [
            each.id,
            make("span", { class: `badge ${each.state}` }, each.state),
            each.pid ? pidLink(each.pid) : "–",
            each.restarts,
            each.reason,
            each.supervisor ? pidLink(each.supervisor) : "services",
          ]), "Nothing is kept alive."))]);
    },
  };
}
