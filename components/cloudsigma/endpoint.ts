/** Where each location answers. `GET /locations/` of any of them is the authority; a full endpoint goes before this table. */
export const LOCATIONS: Readonly<Record<string, string>> = {
  zrh: "https://zrh.cloudsigma.com/api/2.0/",
  gva: "https://gva.cloudsigma.com/api/2.0/",
  fra: "https://fra.cloudsigma.com/api/2.0/",
  dus: "https://dus.cloudsigma.com/api/2.0/",
  dub: "https://ec.servecentric.com/api/2.0/",
  cwl: "https://cwl.cloudsigma.com/api/2.0/",
  lon: "https://lon.cloudsigma.com/api/2.0/",
  hnl: "https://hnl.cloudsigma.com/api/2.0/",
  wdc: "https://wdc.alpha3cloud.com/api/2.0/",
  per: "https://per.cloudsigma.com/api/2.0/",
  tyo: "https://tyo.cloudsigma.com/api/2.0/",
  crk: "https://crk.cloudsigma.com/api/2.0/",
  mnl: "https://mnl.cloudsigma.com/api/2.0/",
  mnl2: "https://mnl2.cloudsigma.com/api/2.0/",
  ruh: "https://ruh.cld.v2.sa/api/2.0/",
  adb: "https://siaflex.cloud/api/2.0/",
  lla: "https://cloud.hydro66.com/api/2.0/",
  mty: "https://mty.stratospherecloud.com/api/2.0/",
};

/** Why an endpoint or location cannot be used: one rule and its repair. */
export interface EndpointProblem {
  readonly rule: string;
  readonly fix: string;
}
export type EndpointResult = { readonly ok: true; readonly url: string } | { readonly ok: false; readonly problem: EndpointProblem };

const no = (rule: string, fix: string): EndpointResult => ({ ok: false, problem: { rule, fix } });

/** Loopback, private, link-local and carrier-grade addresses, and names that never leave a site: clear text is tolerable there. */
export function isLocalHost(host: string): boolean {
  const h = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (h === "localhost" || h.endsWith(".localhost") || h === "::1" || /^f[cd][0-9a-f]{2}:/.test(h) || /^fe[89ab][0-9a-f]:/.test(h)) return true;
  const parts = h.split(".").map(Number);
  if (parts.length !== 4 || parts.some((p) => !Number.isInteger(p) || p < 0 || p > 255)) return false;
  const [a = 0, b = 0, c = 0] = parts;
  if (a === 127 || a === 10 || (a === 192 && b === 168) || (a === 172 && b >= 16 && b <= 31) || (a === 169 && b === 254)) return true;
  if (a === 100 && b >= 64 && b <= 127) return true;
  // the documentation ranges: local-cloud's own network lives there
  return (a === 198 && b === 51 && c === 100) || (a === 192 && b === 0 && c === 2) || (a === 203 && b === 0 && c === 113);
}

/** Base URL with its trailing slash from a location code or a full endpoint; says what is wrong instead of throwing. */
export function resolveEndpoint(options: { endpoint?: string; location?: string; allowHttp?: boolean }): EndpointResult {
  const { endpoint, location } = options;
  if (endpoint === undefined || endpoint === "") {
    if (location === undefined || location === "")
      return no("neither an endpoint nor a location is set", "set `cloudsigma:location` (such as zrh) or `cloudsigma:endpoint`");
    const url = LOCATIONS[location.toLowerCase()];
    if (url === undefined)
      return no(`unknown location "${location}"`, `use one of ${Object.keys(LOCATIONS).join(", ")}, or set cloudsigma:endpoint to the full URL`);
    return { ok: true, url };
  }
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch {
    return no("the endpoint is not a URL", "write it like https://zrh.cloudsigma.com/api/2.0/");
  }
  if (url.username !== "" || url.password !== "")
    return no("the endpoint holds a user name or password", "set cloudsigma:username and, as a secret, cloudsigma:password instead");
  if (url.protocol !== "https:" && url.protocol !== "http:") return no(`the endpoint's protocol ${url.protocol} is not known`, "use https");
  if (url.protocol === "http:" && !options.allowHttp && !isLocalHost(url.hostname))
    return no(`the endpoint ${url.host} would get the password over unencrypted http`, "use https (http is for loopback and private addresses)");
  if (url.search !== "" || url.hash !== "") return no("the endpoint has a query or fragment", "end it with /api/2.0/");
  const path = url.pathname.replace(/\/+$/, "");
  return { ok: true, url: `${url.protocol}//${url.host}${path === "" ? "/api/2.0" : path}/` };
}
