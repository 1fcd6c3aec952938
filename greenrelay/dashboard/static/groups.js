// Groups and names, and who is in one group.

import { address, linkTo, make, patch, pidLink, section, setText, shortPid, table } from "./dom.js";
import { count } from "./format.js";
import { List } from "./list.js";

export function groupsView(page) {
  const details = make("div", { class: "columns" });
  return {
    title: "Groups and names",
    element: details,
    every: 3000,
    async poll() {
      const { groups, names } = await page.link.ask("groups");
      patch(details, [
        section("Groups", table("Groups", ["Group", "Members"],
          groups.map((each) => [linkTo(address("group", each.name), each.name), each.count]), "There is no group.")),
        section("Names", table("Names", ["Name", "Process", "Runs"],
          names.map((each) => [each.name, pidLink(each.pid), make("span", { class: "mono" }, each.entry)]), "No name is registered."))]);
    },
  };
}

export function groupView(page, [group]) {
  const sum = make("p", { class: "muted sum", role: "status" });
  const list = new List({
    label: `Members of ${group}`,
    columns: [
      { label: "Member", class: "c-pid mono", text: (row) => shortPid(row.pid), title: (row) => row.pid },
      { label: "Runs", class: "c-entry", text: (row) => row.entry },
      { label: "User", class: "c-user", text: (row) => row.user || "–" },
    ],
    open: (row) => address(row.path ? "socket" : "process", row.pid),
    empty: "Nobody is in this group.",
    fetch: async (offset, limit) => {
      const found = await page.link.ask("group", { group, offset, limit });
      setText(sum, `${count(found.total)} members`);
      return found;
    },
  });
  return {
    title: `Group ${group}`,
    element: make("div", { class: "stack tall" }, sum, list.element),
    every: 2000,
    poll: () => list.refresh(),
  };
}
