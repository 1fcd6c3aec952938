// The page of the reports: one stream for the report of this tab, one for what runs on the server.

import { byId, make } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const AGAIN_AFTER = 2000;

let source = null;

// The report of this tab

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const title = byId("title").value.trim();
  byId("problem").textContent = title ? "" : "Give it a title.";
  if (title) start(title);
});

byId("cancel").addEventListener("click", () => {
  // All there is to do: the server hears of it from the connection.
  end("cancelled", "Cancelled: the stream is closed, and the report with it");
});

function start(title) {
  source?.close();
  clear();
  // A relative address: the page may be served under a path.
  source = new EventSource(`events/report?title=${encodeURIComponent(title)}`);
  source.addEventListener("progress", onProgress);
  source.addEventListener("result", onResult);
  source.addEventListener("done", onDone);
  source.addEventListener("error", onError);
  byId("job").hidden = false;
  byId("cancel").hidden = false;
  byId("start").disabled = true;
  show("running", "Waiting for the report to begin");
}

function onProgress(event) {
  const { percent, text, report_pid: report, stream_pid: stream } = JSON.parse(event.data);
  show("running", text);
  byId("bar").value = percent;
  byId("percent").textContent = `${percent} %`;
  byId("report-pid").textContent = report;
  byId("stream-pid").textContent = stream;
  byId("event-id").textContent = event.lastEventId;
  byId("log").prepend(make("li", "", text));
}

function onResult(event) {
  const { title, visits } = JSON.parse(event.data);
  const most = Math.max(...visits.map(([, count]) => count));
  byId("result-title").textContent = title;
  byId("chart").replaceChildren(...visits.map(([month, count]) => bar(month, count, most)));
  byId("result").hidden = false;
}

// The last event; without closing, the browser would connect again and start another report.
function onDone(event) {
  const { reason } = JSON.parse(event.data);
  if (reason === "target exited") end("finished", "Finished");
  else end("lost", `Ended: ${reason}`);
}

function onError() {
  // What was lost has ended the report too, so there is nothing to come back to.
  const was = source.readyState === EventSource.CLOSED ? "The server refused" : "Connection lost";
  end("lost", `${was}: start it again`);
}

function end(state, text) {
  source?.close();
  source = null;
  show(state, text);
  byId("cancel").hidden = true;
  byId("start").disabled = false;
}

function clear() {
  byId("log").replaceChildren();
  byId("result").hidden = true;
  byId("bar").value = 0;
  byId("percent").textContent = "0 %";
  for (const id of ["report-pid", "stream-pid", "event-id"]) byId(id).textContent = "–";
}

function show(state, text) {
  byId("state").dataset.state = state;
  byId("state").textContent = text;
}

function bar(month, count, most) {
  const drawing = document.createElementNS(SVG, "svg");
  const rect = document.createElementNS(SVG, "rect");
  drawing.setAttribute("viewBox", "0 0 10 100");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", `${month}: ${count}`);
  const height = (100 * count) / most;
  for (const [name, value] of Object.entries({ x: 0, y: 100 - height, width: 10, height, rx: 1 }))
    rect.setAttribute(name, value);
  drawing.append(rect);
  return make("li", "", drawing, month);
}

// What runs on the server

function watch() {
  const board = new EventSource("events/board");
  board.addEventListener("open", () => { byId("board-state").textContent = ""; });
  board.addEventListener("reports", (event) => list(JSON.parse(event.data)));
  board.addEventListener("error", () => {
    byId("board-state").textContent = "Not connected; trying again.";
    // The browser tries again by itself, but not where the server has refused it.
    if (board.readyState === EventSource.CLOSED) setTimeout(watch, AGAIN_AFTER);
  });
}

function list(reports) {
  byId("nothing").hidden = reports.length > 0;
  byId("board").replaceChildren(...reports.map(line));
}

function line({ pid, title, percent, state }) {
  const text = state === "finished" ? state : state === "running" ? `${percent} %` : `${state} at ${percent} %`;
  const badge = make("span", "badge", text);
  badge.dataset.state = state;
  return make("li", "", make("strong", "", title), badge, make("small", "", pid));
}

watch();
