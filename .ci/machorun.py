"""Checks what the built tool prints on a model Mac when root runs it without options, as Jamf does."""
import os
import subprocess
import sys

model = sys.argv[1]
sys.path.insert(0, model)
from scenes import console, make  # noqa: E402

KEYCHAIN = "/Users/adele/Library/Keychains/login.keychain-db"
TOOL = "/usr/local/wpj-state/wpj-state"
BLANK = "<result></result>\n"
REGISTERED = "<result>Registered</result>\n"
AT_CONSOLE = console("adele", 501)


def run(name, arguments=(), **scene):
    folder = make(name, **scene)
    trace = f"{os.environ['MACHORUN']}/out/{name}/trace"
    os.makedirs(os.path.dirname(trace), exist_ok=True)
    if os.path.exists(trace):
        os.remove(trace)
    run = subprocess.run([f"{model}/run.sh", TOOL, *arguments], env={**os.environ, "SCENE": folder, "TRACE": trace},
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    with open(trace, encoding="utf-8", errors="replace") as file:
        faults = [line for line in file if "MACHORUN-FAULT" in line]
    return run.stdout, run.stderr, run.returncode, faults


def check(name, stdout, reason="", **scene):
    """Checks one scene. `reason` must be part of the only line on standard error; no fault may be traced."""
    found = run(name, **scene)
    status = int(stdout == BLANK)
    lines = found[1].splitlines()
    is_right = (found[0], found[2], found[3], len(lines)) == (stdout, status, [], status)
    is_right = is_right and all(line.startswith("wpj-state: ") and reason in line for line in lines)
    print(f"{'ok' if is_right else 'FAILED'}: {name}" + ("" if is_right else f": {found}"))
    return is_right


results = [
    check("key-at-the-console", REGISTERED, console=AT_CONSOLE, homes={"adele": "registered"}),
    check("nobody-logged-in", REGISTERED, console="nokey", last_user="adele", homes={"adele": "registered"}),
    check("no-home", BLANK, "/Users/adele: ", console=AT_CONSOLE),
    check("fifo", BLANK, f"{KEYCHAIN}: this is a FIFO", console=AT_CONSOLE, homes={"adele": None}, fifos=[KEYCHAIN]),
    check("link", BLANK, f"{KEYCHAIN}: this is a symbolic link", console=AT_CONSOLE, homes={"adele": "registered"},
          links={KEYCHAIN: "/private/var/root/login.keychain-db"}),
]
sys.exit(not all(results))
