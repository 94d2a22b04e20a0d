#!/usr/bin/python3
"""neutron's linuxbridge agent that can replace its own rules against forged addresses.

To replace a rule the agent deletes it in the words in which ebtables lists it, but ebtables 1.8.9 lists an address like
fa:16:3e:63:34:04 as «fa:16:3e:63:34:4» and then does not know it again (exit code 4, which the agent tries to
overcome for ever, busy with nothing else: no port becomes ACTIVE any more). Here the chain is emptied instead.
"""
import sys

from neutron.cmd.eventlet.plugins import linuxbridge_neutron_agent  # monkey-patches eventlet first
from neutron.plugins.ml2.drivers.linuxbridge.agent import arp_protect


def delete_rules(vif, current_rules):
    chain = arp_protect._mac_chain_name(vif)
    if any(f"-i {vif}" in rule and "--among-src" in rule for rule in current_rules):
        arp_protect.ebtables(["-F", chain])
        arp_protect.ebtables(["-A", chain, "-j", "DROP"])


arp_protect._delete_vif_mac_rules = delete_rules
sys.argv[0] = "/usr/bin/neutron-linuxbridge-agent"
sys.exit(linuxbridge_neutron_agent.main())
