import { readdirSync, readFileSync } from "node:fs";

/** Every value that the engine marks as secret in a deployment exported with `--show-secrets`, at least 12 characters long. */
export function secretValues(exported: string): string[] {
  const found = new Set<string>();
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(walk);
    if (typeof value !== "object" || value === null) return;
    const plaintext = (value as { plaintext?: unknown }).plaintext;
    if (typeof plaintext === "string") collect(JSON.parse(plaintext), found);
    else Object.values(value).forEach(walk);
  };
  walk(JSON.parse(exported));
  return [...found];
}

/** Texts inside a secret: of a longer document the parts that are secret by themselves, line by line. */
function collect(value: unknown, into: Set<string>): void {
  if (typeof value === "object" && value !== null) return Object.values(value).forEach((v) => collect(v, into));
  if (typeof value !== "string") return;
  if (value.startsWith("{")) {
    try {
      return collectNamed(JSON.parse(value) as unknown, into);
    } catch {
      // not JSON after all: taken as text below
    }
  }
  if (value.includes("PRIVATE KEY")) {
    for (const line of value.split("\n")) if (line.length >= 40 && !line.includes("PRIVATE KEY")) into.add(line);
    return;
  }
  // A connection is secret as a whole because of its key: its address is not.
  if (value.length >= 12 && !value.includes("\n") && !/^[\d.]+$/.test(value)) into.add(value);
}

/** In a document only what its names call secret: host names and sizes in it are none. */
function collectNamed(value: unknown, into: Set<string>): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, v] of Object.entries(value)) {
    if (typeof v === "string" && /key|password|token|secret/i.test(key) && v.length >= 12) into.add(v);
    else collectNamed(v, into);
  }
}

/** Watches the command lines of every process of this computer, guests included, until stopped. */
export function watchProcessList(everyMs = 100): { stop(): string } {
  const seen = new Set<string>();
  const look = (): void => {
    for (const pid of readdirSync("/proc")) {
      if (!/^\d+$/.test(pid)) continue;
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, "utf8").replace(/\0/g, " "));
      } catch {
        // the process ended between the two calls
      }
    }
  };
  const timer = setInterval(look, everyMs);
  return {
    stop: () => {
      look();
      clearInterval(timer);
      return [...seen].join("\n");
    },
  };
}
