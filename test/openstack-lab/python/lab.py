"""What the lab's own programs share: where the cloud is and who may ask it."""
import json

with open("/lab/run/lab.json") as f:
    about = json.load(f)
with open("/lab/state/secrets.json") as f:
    secrets = json.load(f)

AUTH_URL, REGION, ADDRESS, PORTS = about["authUrl"], about["region"], about["address"], about["ports"]
DEFAULT = {"user_domain_name": "Default", "project_domain_name": "Default"}
ADMIN = {"auth_url": AUTH_URL, "username": "admin", "password": secrets["admin"], "project_name": "admin", **DEFAULT}
DEMO = {"auth_url": AUTH_URL, "username": "demo", "password": secrets["demo"], "project_name": "demo", **DEFAULT}
