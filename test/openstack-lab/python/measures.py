"""How CPU time of servers gets into gnocchi, by the lab's meter and by push-cpu alike: as a service user, like ceilometer,
so that servers of every project are measured and their owners' alarms see it."""
import datetime

import openstack

from lab import AUTH_URL, DEFAULT, REGION, secrets

# Interval of the measures -> archive policy whose granularity it is. Gnocchi's rate is the difference of two measures: it means
# «nanoseconds per granularity» only where there is one measure in each.
POLICIES = {1: "lab-1s", 5: "lab-rate", 60: "lab-60s"}
GROUP = "metering.server_group"


class Gnocchi:
    def __init__(self, every_seconds):
        self._every = every_seconds
        self._session = openstack.connect(region_name=REGION, auth_url=AUTH_URL, username="gnocchi", password=secrets["service"],
                                          project_name="service", **DEFAULT).session

    def call(self, method, path, body=None, fine=(200, 201, 202)):
        r = self._session.request(path, method, json=body, endpoint_filter={"service_type": "metric", "region_name": REGION}, raise_exc=False)
        if r.status_code not in fine:
            raise RuntimeError(f"gnocchi: {method} {path}: HTTP {r.status_code} {r.text[:300]}")
        return r

    def ensure(self, server):
        """The resource `instance` of a server with its metric `cpu`."""
        body = {"id": server.id, "project_id": server.project_id, "user_id": server.user_id, "display_name": server.name,
                "server_group": server.metadata.get(GROUP, ""), "metrics": {"cpu": {"archive_policy_name": POLICIES[self._every], "unit": "ns"}}}
        self.call("POST", "/v1/resource/instance", body, fine=(201, 409))

    def post(self, values):
        """values: server id -> list of (seconds since 1970, cumulative nanoseconds)."""
        measures = {i: {"cpu": [{"timestamp": stamp(at), "value": ns} for at, ns in points]} for i, points in values.items()}
        self.call("POST", "/v1/batch/resources/metrics/measures", measures)

    def last(self, server_id):
        """The newest cumulative value, None without one."""
        path = f"/v1/resource/instance/{server_id}/metric/cpu/measures?aggregation=max&granularity={self._every}&refresh=true"
        r = self.call("GET", path, fine=(200, 404))
        points = r.json() if r.status_code == 200 else []
        return points[-1][2] if points else None


def stamp(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()
