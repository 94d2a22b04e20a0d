import { readFileSync } from "node:fs";
import { request } from "node:https";
import { rootCertificates } from "node:tls";
import type { OpenstackSettings } from "./api";

/** Node's own fetch where the usual authorities suffice; else one that knows the settings' authority, or asks for none. */
export function transportOf(settings: OpenstackSettings): typeof fetch {
  const { caCertificateFile, caCertificates, insecure } = settings;
  if (caCertificateFile === undefined && caCertificates === undefined && insecure !== true) return fetch;
  const own = caCertificates !== undefined ? () => caCertificates : caCertificateFile !== undefined ? () => readFileSync(caCertificateFile, "utf8") : undefined;
  let ca: string[] | undefined;
  return async (input, init = {}) => {
    const url = new URL(String(input));
    if (url.protocol !== "https:") return fetch(input, init);
    ca ??= own === undefined ? [] : [...rootCertificates, own()];
    return overHttps(url, init, { rejectUnauthorized: insecure !== true, ...(ca.length > 0 ? { ca } : {}) });
  };
}

/** The same trust for somebody who has no file of ours. */
export const trustOf = ({ caCertificateFile: file, insecure }: OpenstackSettings): Pick<OpenstackSettings, "caCertificates" | "insecure"> => ({
  ...(file === undefined ? {} : { caCertificates: readFileSync(file, "utf8") }), ...(insecure === true ? { insecure } : {}),
});

function overHttps(url: URL, init: RequestInit, tls: { rejectUnauthorized: boolean; ca?: string[] }): Promise<Response> {
  return new Promise((resolve, reject) => {
    const headers = Object.fromEntries(new Headers(init.headers).entries());
    const outgoing = request(url, { method: init.method ?? "GET", headers, ...tls, ...(init.signal ? { signal: init.signal } : {}) }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const status = incoming.statusCode ?? 502;
        const pairs = Object.entries(incoming.headers).flatMap(([k, v]) => (v === undefined ? [] : (Array.isArray(v) ? v : [v]).map((x): [string, string] => [k, x])));
        resolve(new Response(status === 204 || status === 304 ? null : Buffer.concat(chunks), { status, headers: pairs }));
      });
    });
    outgoing.on("error", reject);
    outgoing.end(typeof init.body === "string" ? init.body : undefined);
  });
}
