import { isCloudError, type Problem } from "../../errors";
import type { Openstack, Service, Session } from "../../openstack/api";
import { asking, serviceNames, type Asking } from "./asking";
import { loginProblem, settingsPath, type ProjectsOf } from "./login";
import { projectsOfUser } from "./projects";

/** Without these there is no grid. */
const REQUIRED: readonly Service[] = ["compute", "network", "image", "orchestration"];

/** Logs in and looks whether all services are there; `asking` is undefined where nothing more can be asked. */
export async function enter(api: Openstack, projectsOf: ProjectsOf = projectsOfUser): Promise<{ readonly asking?: Asking; readonly problems: readonly Problem[] }> {
  let session: Session;
  try {
    session = await api.session();
  } catch (e) {
    if (!isCloudError(e)) throw e;
    return { problems: [await loginProblem(e, api.settings, projectsOf)] };
  }
  const it = asking(api, session);
  if (session.projectId === "") {
    it.complain(settingsPath(api.settings, "tenantName", "OS_PROJECT_NAME"), undefined, "the login names no project, and nothing can be made outside of one", "set the project; a token must be one that was issued for it");
    return { problems: it.problems };
  }
  const there = await Promise.all(REQUIRED.map((s) => it.ask("identity", api.has(s))));
  const missing = REQUIRED.filter((_, i) => there[i] === false);
  if (missing.length > 0) await complainOfMissing(it, missing);
  return missing.length === REQUIRED.length || it.problems.some((p) => p.path.includes("region")) ? { problems: it.problems } : { asking: it, problems: it.problems };
}

interface CatalogService {
  readonly type: string;
  readonly endpoints: ReadonlyArray<{ readonly region_id?: string | null; readonly region?: string | null }>;
}

async function complainOfMissing(it: Asking, missing: readonly Service[]): Promise<void> {
  const { settings } = it.api;
  const catalog = await it.ask("identity", it.api.get<{ catalog: readonly CatalogService[] }>("identity", "/auth/catalog"));
  const regions = [...new Set((catalog?.catalog ?? []).flatMap((s) => s.endpoints.map((e) => e.region_id ?? e.region ?? "")))].filter((r) => r !== "").sort();
  if (settings.region !== undefined && catalog !== undefined && !regions.includes(settings.region)) {
    it.complain(settingsPath(settings, "region", "OS_REGION_NAME"), settings.region, "is no region of this cloud", regions.length === 0 ? "leave it out" : `set the region to ${regions.length === 1 ? regions[0] : `one of ${regions.join(", ")}`}`);
    return;
  }
  const where = settings.region === undefined ? "" : ` in region ${settings.region}`;
  for (const service of missing) {
    const why = service === "orchestration" ? ", which keeps the group of workers" : "";
    it.complain(`openstack ${service} (${serviceNames[service]})`, undefined, `is not there: the catalog${where} has no such service${why}`, `ask the cloud's administrator for ${serviceNames[service]}${regions.length > 1 ? `, or choose another region (${regions.join(", ")})` : ", or use another cloud"}`);
  }
}
