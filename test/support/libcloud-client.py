"""Drives local-cloud through libcloud, a client that knows nothing of this project. Arguments: host, port, number of
clones; username and password come as JSON on standard input. Prints one JSON object.

libcloud insists on TLS for CloudSigma; local-cloud listens on loopback only and speaks plain HTTP, so the connection
class is told, after it was made, not to use TLS. Nothing else is changed.
"""
import json
import sys
import time

from libcloud.compute.drivers import cloudsigma
from libcloud.compute.types import NodeState


class PlainConnection(cloudsigma.CloudSigma_2_0_Connection):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.secure = 0


class Driver(cloudsigma.CloudSigma_2_0_NodeDriver):
    connectionCls = PlainConnection
    DRIVE_TRANSITION_SLEEP_INTERVAL = 0.05
    DRIVE_TRANSITION_TIMEOUT = 20


def wait(driver, node, state):
    for _ in range(400):
        now = driver.ex_get_node(node.id)
        if now.state == state:
            return now
        time.sleep(0.05)
    raise RuntimeError("%s is %s, not %s" % (node.name, now.state, state))


def main():
    host, port, clones = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    account = json.load(sys.stdin)
    driver = Driver(account["username"], account["password"], host=host, port=port)
    out = {"images": [i.name for i in driver.list_images()]}
    image = [i for i in driver.list_images() if i.name == "elastigrid-appliance"][0]
    size = driver.list_sizes()[0]
    vlan = driver.ex_create_subscription(amount=1, period="1 month", resource="vlan", auto_renew=False)
    key = driver.create_key_pair("laptop")
    node = driver.create_node("one", size, image, ex_metadata={"a": "1"}, ex_vlan=vlan.subscribed_object, public_keys=[key.extra["uuid"]])
    node = wait(driver, node, NodeState.RUNNING)
    out["created"] = {"public": node.public_ips, "meta": node.extra["meta"], "nics": len(node.extra["nics"])}
    try:
        driver.start_node(node)
        out["startedTwice"] = True
    except cloudsigma.CloudSigmaError as e:
        out["startedTwice"] = e.error_type
    out["stopped"] = driver.stop_node(node)
    node = wait(driver, node, NodeState.STOPPED)
    # libcloud would send cores and MiB back where the API wants MHz and bytes
    whole = driver.ex_get_node(node.id, return_json=True)
    out["renamed"] = driver.ex_edit_node(node, {"name": "two", "cpu": whole["cpu"], "mem": whole["mem"]}).name
    made = [driver.ex_clone_node(node, name="clone-%d" % i, random_vnc_password=True) for i in range(clones)]
    made = [wait(driver, m, NodeState.STOPPED) for m in made]
    out["started"] = [driver.start_node(m) for m in made]
    made = [wait(driver, m, NodeState.RUNNING) for m in made]
    out["listed"] = sorted(n.name for n in driver.list_nodes())
    out["groups"] = len(driver.ex_list_servers_availability_groups()[0])
    tag = driver.ex_create_tag("t")
    out["tag"] = driver.ex_get_tag(tag.id).name
    out["balance"] = float(driver.ex_get_balance()["balance"])
    out["subscriptions"] = [s.resource for s in driver.ex_list_subscriptions()]
    out["capabilities"] = sorted(driver.ex_list_capabilities().keys())[:2]
    for m in made:
        driver.stop_node(m)
    for m in made + [node]:
        wait(driver, m, NodeState.STOPPED)
        driver.destroy_node(m, ex_delete_drives=True)
    driver.ex_delete_tag(tag)
    driver.delete_key_pair(key)
    out["left"] = len(driver.list_nodes())
    print(json.dumps(out))


main()
