import { conformance } from "../conformance/behaviours";
import { labConformance } from "../conformance/openstack-lab";
import { noLab } from "../support/openstack-lab";

conformance("what is promised of every cloud, on OpenStack", async () => (await noLab()) ?? labConformance());
