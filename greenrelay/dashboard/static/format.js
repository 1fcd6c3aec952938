// Numbers as people read them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export const count = (number) => number.toLocaleString();

export function bytes(number) {
  if (number === null || number === undefined) return "–";
  let unit = 0;
  while (number >= 1024 && unit < UNITS.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${number >= 100 || unit === 0 ? Math.round(number) : number.toFixed(1)} ${UNITS[unit]}`;
}

export function rate(number) {
  if (number >= 1000) return count(Math.round(number));
  return number >= 10 || number === 0 ? String(Math.round(number)) : number.toFixed(1);
}

// 45s, 12m03s, 3h05m, 2d04h
export function duration(seconds) {
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))}ms`;
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)}d${two(Math.floor((whole % 86400) / 3600))}h`;
}

// What happened so many seconds ago.
export const ago = (seconds) => (seconds === null ? "never" : `${duration(seconds)} ago`);

export function milliseconds(number) {
  if (number === null || number === undefined) return "–";
  return number < 10 ? `${number.toFixed(1)} ms` : `${Math.round(number)} ms`;
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

// The time of day of seconds since the epoch.
export const timeOfDay = (seconds) => clock.format(seconds * 1000);
export const dayAndTime = (seconds) => calendar.format(seconds * 1000);

const CODES = {
  1000: "normal", 1001: "going away", 1002: "protocol error", 1003: "unsupported data",
  1005: "no code", 1006: "lost", 1007: "bad text", 1008: "policy", 1009: "too big",
  1011: "server error", 1012: "restart", 1013: "try again", 4008: "slow",
};

// A close code with what it means, where that is known.
export const codeText = (code) => (CODES[code] ? `${code} ${CODES[code]}` : String(code ?? "stream"));
