"""The part of the smoke for guests that run: a server with user data behind a floating IP greets, serves what its user data says,
is closed where its security group is, can be switched off and on, and is gone afterwards."""
import base64
import socket
import time
import urllib.request

OPEN, CLOSED = 8080, 8081
WORDS = "written by user data"
USER_DATA = f"""#cloud-config
write_files:
  - path: /srv/smoke/words
    content: {WORDS}
  - path: /etc/systemd/system/smoke.service
    content: |
      [Unit]
      After=network.target
      [Service]
      WorkingDirectory=/srv/smoke
      ExecStart=/bin/sh -c 'cp /var/lib/cloud/data/instance-id . ; python3 -m http.server {CLOSED} & exec python3 -m http.server {OPEN}'
      [Install]
      WantedBy=multi-user.target
runcmd:
  - [systemctl, enable, --now, smoke.service]
"""
LIMIT_SECONDS = 180


def until(what, done):
    end = time.time() + LIMIT_SECONDS
    why = "no"
    while time.time() < end:
        try:
            return done()
        except (OSError, AssertionError) as e:
            why = e
            time.sleep(0.2)
    raise RuntimeError(f"{what}: not within {LIMIT_SECONDS} s ({why!r})")


def greets(address, port=22):
    with socket.create_connection((address, port), timeout=3) as s:
        words = s.recv(64)
    assert words.startswith(b"SSH-"), words
    return words.decode().strip()


def get(address, path):
    with urllib.request.urlopen(f"http://{address}:{OPEN}/{path}", timeout=5) as r:
        return r.read().decode().strip()


def is_closed(address):
    try:
        socket.create_connection((address, CLOSED), timeout=2).close()
    except TimeoutError:
        return
    raise RuntimeError(f"port {CLOSED} answers although no security group opens it")


def run(cloud, network, name, made, say):
    """`made` gets what is to be removed: (what, delete, wait until gone)."""
    nothing = lambda: None  # noqa: E731
    external = cloud.network.find_network("external", ignore_missing=False)
    subnet = next(iter(cloud.network.subnets(network_id=network.id)))
    router = cloud.network.create_router(name=name, external_gateway_info={"network_id": external.id})
    made.append(("router", lambda: (cloud.network.remove_interface_from_router(router, subnet_id=subnet.id), cloud.network.delete_router(router.id)), nothing))
    cloud.network.add_interface_to_router(router, subnet_id=subnet.id)
    group = cloud.network.create_security_group(name=name)
    made.append(("security group", lambda: cloud.network.delete_security_group(group.id), nothing))
    for port in (22, OPEN):
        cloud.network.create_security_group_rule(security_group_id=group.id, direction="ingress", protocol="tcp", port_range_min=port, port_range_max=port)
    port = cloud.network.create_port(network_id=network.id, name=name, security_groups=[group.id])
    made.append(("port", lambda: cloud.network.delete_port(port.id), nothing))
    floating = cloud.network.create_ip(floating_network_id=external.id, port_id=port.id)
    made.append(("floating IP", lambda: cloud.network.delete_ip(floating.id), nothing))
    address = floating.floating_ip_address

    began = time.time()
    image, flavor = cloud.image.find_image("elastigrid-appliance", ignore_missing=False), cloud.compute.find_flavor("g1.small", ignore_missing=False)
    server = cloud.compute.create_server(name=f"{name}-guest", flavor_id=flavor.id, image_id=image.id, networks=[{"port": port.id}],
                                         user_data=base64.b64encode(USER_DATA.encode()).decode())
    made.append(("guest", lambda: cloud.compute.delete_server(server.id), lambda: cloud.compute.wait_for_delete(server, interval=0.5, wait=90)))
    server = cloud.compute.wait_for_server(server, interval=0.5, wait=LIMIT_SECONDS)
    say(f"guest ACTIVE after {time.time() - began:.1f} s")
    words = until("ssh", lambda: greets(address))
    say(f"guest greets at {address} after {time.time() - began:.1f} s: {words}")
    got = until("what user data wrote", lambda: get(address, "words"))
    assert got == WORDS, got
    instance = get(address, "instance-id")
    assert instance == server.id, f"instance-id {instance}, server {server.id}"
    say(f"user data ran after {time.time() - began:.1f} s, instance-id is the server's id")
    is_closed(address)
    say(f"port {CLOSED} is closed by the security group")
    status = cloud.network.get_port(port.id).status
    assert status == "ACTIVE", f"port {status}"
    console = cloud.compute.get_server_console_output(server, length=50)["output"]
    assert "multi-user.target" in console, f"console: {console}"

    began = time.time()
    cloud.compute.stop_server(server)
    cloud.compute.wait_for_server(server, status="SHUTOFF", interval=0.5, wait=90)
    say(f"guest SHUTOFF after {time.time() - began:.1f} s")
    began = time.time()
    cloud.compute.start_server(server)
    until("ssh after start", lambda: greets(address))
    say(f"guest greets again {time.time() - began:.1f} s after start")
    began = time.time()
    cloud.compute.reboot_server(server, "HARD")
    cloud.compute.wait_for_server(server, interval=0.5, wait=90)
    got = until("ssh after reboot", lambda: greets(address))
    say(f"guest greets again {time.time() - began:.1f} s after a hard reboot")
    return address


def is_gone(address):
    try:
        greets(address)
    except OSError:
        return
    raise RuntimeError(f"{address} still answers")
