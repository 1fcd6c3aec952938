// The page of the bridge: shows what comes, and whether the upstream is there.

const SHOWN = 20;
const RETRY_MS = 1000;
const TEXTS = {
  up: "The upstream is there.",
  down: "The upstream is gone; the bridge waits for it.",
  connecting: "Connecting to the bridge…",
};

const stateLine = document.getElementById("state");
const feed = document.getElementById("feed");

function show(state) {
  stateLine.dataset.state = state;
  stateLine.textContent = TEXTS[state];
}

function add(text) {
  const line = document.createElement("li");
  line.textContent = text;
  feed.prepend(line);
  while (feed.children.length > SHOWN) feed.lastElementChild.remove();
}

function stateIn(text) {
  try {
    const message = JSON.parse(text);
    return message.topic === "bridge.state" ? message.data : null;
  } catch {
    return null;
  }
}

function open() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/ws/feed`);
  socket.onmessage = ({ data }) => {
    const state = stateIn(data);
    if (state === null) add(data);
    else show(state.is_up ? "up" : "down");
  };
  socket.onclose = () => {
    show("connecting");
    setTimeout(open, RETRY_MS);
  };
}

open();
