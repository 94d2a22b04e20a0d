/** What is wrong with the set-up, every problem at once; never a value that may be secret. */
export function setupProblems(raw: unknown): string[] {
  const problems: string[] = [];
  const object = (value: unknown, path: string): Record<string, unknown> => {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    problems.push(`${path} is missing or no object`);
    return {};
  };
  const text = (o: Record<string, unknown>, path: string, key: string): void => {
    if (typeof o[key] !== "string" || o[key] === "") problems.push(`${path}${key} is missing or no text`);
  };
  const number = (o: Record<string, unknown>, path: string, key: string, least = 0): void => {
    if (typeof o[key] !== "number" || !Number.isFinite(o[key]) || (o[key] as number) < least) problems.push(`${path}${key} must be a number of at least ${least}`);
  };
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return ["the set-up is no JSON object"];
  const setup = raw as Record<string, unknown>;
  if (typeof setup["poolKey"] !== "string" || setup["poolKey"].length < 16) problems.push("poolKey is missing or shorter than 16 characters");
  const credentials = object(setup["credentials"], "credentials");
  const given = (key: string): boolean => typeof credentials[key] === "string" && credentials[key] !== "";
  const c = object(setup["controller"], "controller");
  for (const key of ["gridName", "gridUid", "poolDomain"]) text(c, "controller.", key);
  const cloud = object(c["cloud"], "controller.cloud");
  const enrolment = object(c["enrolment"], "controller.enrolment");
  text(enrolment, "controller.enrolment.", "address");
  switch (cloud["kind"]) {
    case "cloudsigma":
      if (!given("token") && !(given("username") && given("password"))) problems.push("credentials must hold a token, or username and password");
      for (const key of ["endpoint", "templateUuid"]) text(cloud, "controller.cloud.", key);
      // The master serves DHCP there, and knows workers by their leases.
      text(enrolment, "controller.enrolment.", "leasesFile");
      break;
    case "openstack":
      if (!given("applicationCredentialId") || !given("applicationCredentialSecret")) problems.push("credentials must hold an application credential: its id and its secret");
      for (const key of ["authUrl", "stackName", "stackId", "stackPrefix"]) text(cloud, "controller.cloud.", key);
      break;
    default:
      problems.push("controller.cloud.kind must be cloudsigma or openstack");
  }
  number(enrolment, "controller.enrolment.", "port", 1);
  const workers = object(c["workers"], "controller.workers");
  for (const key of ["min", "max"]) number(workers, "controller.workers.", key);
  for (const key of ["vcpus", "memoryMiB", "diskMiB"]) number(workers, "controller.workers.", key, 1);
  const list = (value: unknown, path: string): readonly Record<string, unknown>[] => {
    if (value === undefined) return [];
    if (Array.isArray(value)) return value.map((v, n) => object(v, `${path}[${n}]`));
    problems.push(`${path} is no list`);
    return [];
  };
  list(workers["types"], "controller.workers.types").forEach((type, n) => {
    const at = `controller.workers.types[${n}].`;
    text(type, at, "name");
    for (const key of ["vcpus", "memoryMiB", "diskMiB"]) number(type, at, key, 1);
    const own = cloud["kind"] === "openstack" ? object(object(cloud["types"], "controller.cloud.types")[String(type["name"])], `controller.cloud.types.${String(type["name"])}`) : {};
    if (cloud["kind"] === "openstack") for (const key of ["stackName", "stackId"]) text(own, `controller.cloud.types.${String(type["name"])}.`, key);
    if (cloud["kind"] === "cloudsigma") text(object(cloud["templates"], "controller.cloud.templates"), "controller.cloud.templates.", String(type["name"]));
  });
  if (Number(workers["min"]) > Number(workers["max"])) problems.push("controller.workers.min is above controller.workers.max");
  const scaling = object(c["scaling"], "controller.scaling");
  number(scaling, "controller.scaling.", "intervalSeconds", 0.5);
  for (const key of ["growStep", "shrinkStep"]) number(scaling, "controller.scaling.", key, 1);
  for (const key of ["cooldownSeconds", "idleSeconds"]) number(scaling, "controller.scaling.", key);
  number(scaling, "controller.scaling.", "joinTimeoutSeconds", 1);
  const alarms = object(c["alarms"], "controller.alarms");
  for (const side of ["cpuHigh", "cpuLow"]) {
    const rule = object(alarms[side], `controller.alarms.${side}`);
    if (typeof rule["enabled"] !== "boolean") problems.push(`controller.alarms.${side}.enabled must be true or false`);
    for (const key of ["thresholdPercent", "cooldownSeconds"]) number(rule, `controller.alarms.${side}.`, key);
    for (const key of ["periodSeconds", "evaluationPeriods"]) number(rule, `controller.alarms.${side}.`, key, 1);
  }
  list(alarms["rules"], "controller.alarms.rules").forEach((rule, n) => {
    const at = `controller.alarms.rules[${n}].`;
    for (const key of ["name", "metric"]) text(rule, at, key);
    for (const key of ["periodSeconds", "evaluationPeriods", "cooldownSeconds"]) number(rule, at, key, 1);
    if (["above", "below", "target"].filter((k) => typeof rule[k] === "number").length !== 1) problems.push(`${at.slice(0, -1)} must have exactly one of above, below and target`);
  });
  return problems;
}
