import type { CloudError } from "../../components/errors";
import type { FailureClass } from "../../components/policy/breaker";

/** What kind of failure a refused or lost order for workers is. A spent quota is full by somebody's word, not for lack of machines. */
export function failureClassOf(e: CloudError): FailureClass {
  if (e.kind === "capacity") return /quota|limit exceeded|overlimit/i.test(e.message) ? "quota" : "capacity";
  if (e.ambiguous) return "ambiguous";
  switch (e.kind) {
    case "funds": return "funds";
    case "auth": return "auth";
    case "invalid": return "invalid";
    case "not-found": return "gone";
    case "wrong-state": return "refused";
    default: return "transient";
  }
}
