// Closing a socket, or cutting it: asked for on its page and in each row of the list.

import { askFor } from "./dialog.js";
import { nodeOf, shortPid } from "./dom.js";

// Asks for code and reason and closes a socket; of a stream there is a reason only.
export async function askToClose(page, socket) {
  const fields = [{ name: "code", label: "Code", type: "number", value: "1000", required: true },
    { name: "reason", label: "Reason", value: "" }].slice(socket.kind === "stream" ? 1 : 0);
  const values = await askFor({ title: "Close this socket", text: whose(socket), fields, confirm: "Close" });
  if (values) await page.act("close", { pid: socket.pid, reason: values.reason, code: Number(values.code ?? 1000) });
}

// Asks once more and cuts the connection.
export async function askToKill(page, socket) {
  const text = `${whose(socket)}. TCP is cut without a closing handshake; the client sees 1006.`;
  const values = await askFor({ title: "Cut this connection?", text, confirm: "Kill", dangerous: true });
  if (values) await page.act("kill", { pid: socket.pid });
}

// What a button beside a socket does, for whoever may act; null for the page's own. A socket of another
// node, and one that closes already, can only be cut.
export function endingOf(page, socket) {
  if (socket.pid === page.you) return null;
  const canClose = socket.state === "open" && nodeOf(socket.pid) === page.node;
  return canClose ? { text: "Close…", ask: askToClose } : { text: "Kill…", ask: askToKill };
}

function whose(socket) {
  return [shortPid(socket.pid), socket.user && `of ${socket.user}`, `at ${socket.path}`].filter(Boolean).join(" ");
}
