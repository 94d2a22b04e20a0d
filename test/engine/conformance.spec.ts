import { engineEnvironment } from "../../tools/engine-env";
import { conformance } from "../conformance/behaviours";
import { localConformance } from "../conformance/local-cloud";

conformance("what is promised of every cloud, on local-cloud", async () => {
  const engine = engineEnvironment();
  return engine.available ? localConformance() : engine.reason;
});
