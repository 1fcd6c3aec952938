// The page of the vault: a token, and one socket that is as good as the token.

import { byId, exactTime, make } from "./dom.js";

let token = "";
let socket = null;

// The token

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = byId("name").value;
  const answer = await post("vault/sign-in", { name, seconds: Number(byId("seconds").value) });
  const { token: given = "", message = "" } = await answer.json();
  token = given;
  byId("problem").textContent = message;
  byId("sign-out").disabled = !token;
  if (token) show("closed", "Signed in: the vault can be opened");
});

byId("sign-out").addEventListener("click", async () => {
  await post("vault/sign-out", { token });
  token = "";
  byId("sign-out").disabled = true;
  if (!socket) show("closed", "Signed out");
});

function post(path, fields) {
  const headers = { "Content-Type": "application/json" };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(fields) });
}

// The socket

byId("enter").addEventListener("click", () => {
  socket?.close();
  clear();
  // A page can set no header of a WebSocket. This token is short-lived, so the address may have it.
  const query = token ? `?x-auth-token=${encodeURIComponent(token)}` : "";
  const url = new URL(`guarded/vault${query}`, document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  const opened = new WebSocket(url);
  socket = opened;
  let wasOpen = false;
  show("opening", "Opening");
  opened.addEventListener("open", () => { wasOpen = true; });
  opened.addEventListener("message", (event) => { if (socket === opened) take(JSON.parse(event.data)); });
  opened.addEventListener("close", ({ code, reason }) => {
    if (socket === opened) closed(wasOpen, code, reason);
  });
});

byId("keep").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (text && socket?.readyState === WebSocket.OPEN) socket.send(text);
  byId("text").value = "";
});

function take({ topic, data }) {
  if (topic === "vault.welcome") {
    byId("who").textContent = data.id;
    byId("until").textContent = exactTime(data.expires_at * 1000);
    byId("vault-pid").textContent = data.pid;
    byId("send").disabled = false;
    show("finished", "Open");
  } else if (topic === "vault.kept") {
    byId("kept").replaceChildren(...data.map((text) => make("li", "", text)));
  }
}

function closed(wasOpen, code, reason) {
  socket = null;
  byId("send").disabled = true;
  // Why a handshake was refused, no browser tells a page.
  if (!wasOpen) return show("lost", "Refused: the token is missing, over or not allowed");
  byId("code").textContent = `${code} ${reason}`.trim();
  show("lost", `Closed: ${reason || "connection lost"}`);
}

function clear() {
  for (const id of ["who", "until", "vault-pid", "code"]) byId(id).textContent = "–";
  byId("kept").replaceChildren();
  byId("send").disabled = true;
}

function show(state, text) {
  byId("state").dataset.state = state;
  byId("state").textContent = text;
}
