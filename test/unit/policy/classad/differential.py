"""Makes differential.json: what HTCondor's own library says to expressions. Run with HTCondor's python bindings:
    python3 differential.py < expressions.txt > differential.json
The version of HTCondor is written into the table. A line is an expression, evaluated in JOB, against MACHINE. The table itself may stand for
the lines: it is made anew then."""
import json
import sys

import htcondor2 as htcondor  # registers the functions that HTCondor adds to those of ClassAds
import classad2 as classad

JOB = '[ Owner = "ann"; ClusterId = 17; RequestCpus = 2 * 4; RequestMemory = ifThenElse(MemoryUsage =!= undefined, MemoryUsage * 3 / 2, 2000); ' \
      'DiskUsage = 45; RequestDisk = DiskUsage; RequestGPUs = 1; Want = { "a", "b" }; Site = "Zurich"; Nested = [ x = 1; y = x + Both ]; Both = 1; Loop = Loop + 1; ' \
      'Indirect = TARGET.Memory / 2; Rank = KFlops ]'
MACHINE = '[ Machine = "w-1.grid"; Arch = "X86_64"; OpSys = "LINUX"; Memory = 4096; Cpus = 8; Disk = 1000000; HasFileTransfer = true; Both = 2; KFlops = 5; ' \
          'Start = TARGET.Owner == "ann" && MY.Memory > 100; Label = "gpu,big"; CondorVersion = "$CondorVersion: 23.9.6 2026-07-12 $"; Site = "zurich" ]'


def written(value):
    """Type and value, so that 1 and 1.0 stay apart."""
    if isinstance(value, classad.Value):
        return ["undefined" if value == classad.Value.Undefined else "error"]
    if isinstance(value, bool):
        return ["boolean", value]
    if isinstance(value, int):
        return ["integer", value]
    if isinstance(value, float):
        return ["real", value]
    if isinstance(value, str):
        return ["string", value]
    if isinstance(value, list):
        return ["list", [written(v.eval() if hasattr(v, "eval") else v) for v in value]]
    return ["other"]


def main():
    job, machine = classad.ClassAd(JOB), classad.ClassAd(MACHINE)
    table = []
    given = sys.stdin.read()
    for line in [row[0] for row in json.loads(given)["table"]] if given.startswith("{") else given.split("\n"):
        text = line.rstrip("\n")
        if not text or text.startswith("#"):
            continue
        try:
            tree = classad.ExprTree(text)
        except Exception:
            table.append([text, ["syntax"]])
            continue
        try:
            table.append([text, written(tree.eval(job, machine))])
        except RuntimeError:  # gives up: an attribute that leads back to itself
            table.append([text, ["error"]])
    rows = ",\n".join("    " + json.dumps(row) for row in table)
    print('{\n  "htcondor": %s,\n  "job": %s,\n  "machine": %s,\n  "table": [\n%s\n  ]\n}' % (json.dumps(htcondor.version()), json.dumps(JOB), json.dumps(MACHINE), rows))


main()
