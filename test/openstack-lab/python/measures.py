"""How CPU time of servers gets into gnocchi, by the lab's meter and by push-cpu alike."""
import datetime

POLICY = "lab-rate"


class Gnocchi:
    def __init__(self, session, region):
        self._session, self._region = session, region

    def call(self, method, path, body=None, fine=(200, 201, 202)):
        r = self._session.request(path, method, json=body, endpoint_filter={"service_type": "metric", "region_name": self._region}, raise_exc=False)
        if r.status_code not in fine:
            raise RuntimeError(f"gnocchi: {method} {path}: HTTP {r.status_code} {r.text[:300]}")
        return r

    def ensure(self, server, group):
        """The resource `instance` of a server with its metric `cpu`."""
        body = {"id": server.id, "project_id": server.project_id, "user_id": server.user_id, "display_name": server.name, "server_group": group or "",
                "metrics": {"cpu": {"archive_policy_name": POLICY, "unit": "ns"}}}
        self.call("POST", "/v1/resource/instance", body, fine=(201, 409))

    def post(self, values):
        """values: server id -> list of (seconds since 1970, cumulative nanoseconds)."""
        measures = {i: {"cpu": [{"timestamp": stamp(at), "value": ns} for at, ns in points]} for i, points in values.items()}
        self.call("POST", "/v1/batch/resources/metrics/measures", measures)

    def last(self, server_id):
        """The newest cumulative value, 0 without one."""
        r = self.call("GET", f"/v1/resource/instance/{server_id}/metric/cpu/measures?aggregation=max&granularity=5&refresh=true", fine=(200, 404))
        points = r.json() if r.status_code == 200 else []
        return points[-1][2] if points else 0.0

    def gone(self, server_id):
        """Ends the resource; its measures stay, as with ceilometer."""
        self.call("PATCH", f"/v1/resource/instance/{server_id}", {"ended_at": stamp(datetime.datetime.now(datetime.timezone.utc).timestamp())}, fine=(200, 404))


def stamp(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()
