import type { Service } from "./api";
import type { CatalogEntry } from "./login";

/** Types under which a service may stand in the catalog, the usual one first. */
const TYPES: Readonly<Record<Service, readonly string[]>> = {
  identity: ["identity"],
  compute: ["compute"],
  network: ["network"],
  image: ["image"],
  orchestration: ["orchestration"],
  alarming: ["alarming"],
  metric: ["metric"],
  volume: ["volumev3", "block-storage"],
};

/** What a base URL ends in; the catalog gives some with it and some without. */
const VERSIONS: Readonly<Record<Service, string>> = { identity: "v3", compute: "v2.1", network: "v2.0", image: "v2", orchestration: "v1", alarming: "v2", metric: "v1", volume: "v3" };

/** Base URL of a service with its version; undefined where the catalog of this region does not have it. */
export function endpointOf(catalog: readonly CatalogEntry[], service: Service, where: { region?: string; interface: string; projectId: string }): string | undefined {
  for (const type of TYPES[service]) {
    const urls = catalog.filter((s) => s.type === type).flatMap((s) => s.endpoints);
    const found = urls.find((e) => e.interface === where.interface && (where.region === undefined || (e.region_id ?? e.region) === where.region));
    if (found !== undefined) return withVersion(found.url.replace(/\/+$/, ""), service, where.projectId);
  }
  return undefined;
}

function withVersion(url: string, service: Service, projectId: string): string {
  const version = VERSIONS[service];
  if (service === "identity") return `${url.replace(/\/v(3|2\.0)$/, "")}/v3`;
  const [last = ""] = new URL(url).pathname.split("/").filter((p) => /^v\d/.test(p)).slice(-1);
  if (last === "") return service === "orchestration" || service === "volume" ? `${url}/${version}/${projectId}` : `${url}/${version}`;
  // Nova's old path speaks the same language as 2.1 without its microversions.
  return url;
}
