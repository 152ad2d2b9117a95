"""Checks what the built tool prints in the model.

It does so for every fixture, and when root runs the tool without options, as Jamf does.
"""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

model = sys.argv[1]
sys.path.insert(0, model)
from scenes import console, make  # noqa: E402

KEYCHAIN = "/Users/adele/Library/Keychains/login.keychain-db"
TOOL = "/usr/local/wpj-state/wpj-state"
BLANK = "<result></result>\n"
REGISTERED = "<result>Registered</result>\n"
AT_CONSOLE = console("adele", 501)


MACHORUN = os.environ["MACHORUN"]
TOOL_IN_MODEL = [f"{MACHORUN}/bin/machorun", f"{MACHORUN}/target/x86_64-apple-darwin/release/wpj-state"]
SAVED = {"--app-sso-state": "app-sso.txt", "--psso-status": "psso-status.txt", "--system-root": "system"}
OUTPUTS = {"expected.result": [], "expected.json": ["--json"], "expected.explain": ["--explain"]}


def fixture(folder):
    """Returns the outputs that differ from the expected ones."""
    source = Path(MACHORUN, "src")
    given = [word for option, file in SAVED.items() if (folder / file).exists()
             for word in (option, str((folder / file).relative_to(source)))]
    reasons = folder / "expected.stderr"
    wrong = []
    for file, options in OUTPUTS.items():
        words = ["--home", str((folder / "home").relative_to(source)), "--second-opinion=never", *given, *options]
        run = subprocess.run([*TOOL_IN_MODEL, *words], cwd=source, env={**os.environ, "LC_ALL": "en_US.UTF-8"},
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        # The report has the reason itself.
        stderr = reasons.read_text("utf-8") if reasons.exists() and file != "expected.explain" else ""
        expected = (folder / file).read_text("utf-8"), stderr, int(reasons.exists())
        if (run.stdout, run.stderr, run.returncode) != expected:
            wrong.append(f"FAILED: {folder.name}: {file}: {run.stdout}{run.stderr}{run.returncode}")
    return wrong


def run(name, arguments=(), **scene):
    folder = make(name, **scene)
    trace = f"{MACHORUN}/out/{name}/trace"
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


folders = sorted(path for path in Path(MACHORUN, "src", "fixtures").iterdir() if path.is_dir())
with ThreadPoolExecutor(2) as pool:
    wrong = [line for lines in pool.map(fixture, folders) for line in lines]
print("\n".join([*wrong, f"{len(folders)} fixtures, {len(wrong)} of {len(folders) * len(OUTPUTS)} outputs differ"]))
results = [
    not wrong,
    check("key-at-the-console", REGISTERED, console=AT_CONSOLE, homes={"adele": "registered"}),
    check("nobody-logged-in", REGISTERED, console="nokey", last_user="adele", homes={"adele": "registered"}),
    check("no-home", BLANK, "/Users/adele: ", console=AT_CONSOLE),
    check("fifo", BLANK, f"{KEYCHAIN}: this is a FIFO", console=AT_CONSOLE, homes={"adele": None}, fifos=[KEYCHAIN]),
    check("link", BLANK, f"{KEYCHAIN}: this is a symbolic link", console=AT_CONSOLE, homes={"adele": "registered"},
          links={KEYCHAIN: "/private/var/root/login.keychain-db"}),
]
sys.exit(not all(results))
