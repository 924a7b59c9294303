"""Hold the pinned packages against published advisories, by pip-audit.

Where no source of advisories can be reached, that is said, and is no failure.
"""

import json
import subprocess
import sys
from pathlib import Path

PINNED = Path(__file__).with_name("constraints.txt")
PIP_AUDIT = [
    *(sys.executable, "-m", "pip_audit", "--requirement", str(PINNED), "--no-deps"),
    *("--disable-pip", "--progress-spinner", "off", "--format", "json"),
]


def main() -> int:
    """Print what is known of the packages; return 1 where one has an advisory."""
    run = subprocess.run(PIP_AUDIT, capture_output=True, text=True, check=False)
    if not run.stdout:
        print(f"advisories: not checked, no source answers ({run.stderr.strip()[-200:]})")
        return 0
    packages = json.loads(run.stdout)["dependencies"]
    checked = [package for package in packages if "vulns" in package]
    known = [
        f"{package['name']} {package['version']}: {advisory['id']}, "
        f"mended in {', '.join(advisory['fix_versions']) or 'no version yet'}"
        for package in checked
        for advisory in package["vulns"]
    ]
    print(*known, sep="\n", end="\n" if known else "")
    if checked:
        print(f"advisories: {len(checked)} of {len(packages)} packages checked, {len(known)} found")
    else:
        print(f"advisories: not checked, no source answers for the {len(packages)} packages")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
