"""What the journal does when a card fails under it, with ext4's own answer to that: it goes read-only.

    sudo python -m tests.store.failing_card

A new ext4 file system, mounted through a loop device with `errors=remount-ro` as Debian and Raspberry Pi OS do, gets an
error while a session is recorded (`trigger_fs_error` in /sys/fs/ext4). The agent is then stopped, the file system is
repaired as at a boot, and the agent starts again.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from pathlib import Path

from edge_agent.store.journal import Journal
from tests.store.disk import REPOSITORY
from tests.store.samples import new_session, second, summarised

BEFORE_S, AFTER_S = 60, 90


def main() -> int:
    """Run it in a mount namespace of its own; there, play it."""
    if len(sys.argv) > 1:
        return _play(Path(sys.argv[1]), Path(sys.argv[2]))
    with tempfile.TemporaryDirectory() as folder:
        image, mount_point = Path(folder) / "image", Path(folder) / "mnt"
        mount_point.mkdir()
        with image.open("wb") as file:
            file.truncate(64_000_000)
        command = ("unshare", "--mount", sys.executable, "-m", "tests.store.failing_card", image, mount_point)
        return subprocess.run(command, cwd=REPOSITORY, check=False).returncode


def _play(image: Path, mount_point: Path) -> int:
    logging.basicConfig(format="    %(message)s", stream=sys.stdout)
    _sh('mkfs.ext4 -q "$0" && mount -o loop,errors=remount-ro "$0" "$1"', image, mount_point)
    journal = Journal(mount_point / "store")
    session = journal.open_session(new_session(), [second(0)])
    for t_s in range(1, BEFORE_S):
        journal.accept(session, [second(t_s)])
    print(f"{BEFORE_S} s are recorded, then the file system has an error")
    _sh('dev=$(findmnt -no SOURCE "$0") && echo 1 > /sys/fs/ext4/$(basename $dev)/trigger_fs_error', mount_point)
    for t_s in range(BEFORE_S, BEFORE_S + AFTER_S):
        journal.accept(session, [second(t_s)])
    print(f"{AFTER_S} s later, memory holds {journal.held_s} s; the agent stops")
    journal.close()
    _sh('umount "$1"; fsck.ext4 -p "$0" > /dev/null || [ $? -lt 4 ]', image, mount_point)  # 1 and 2: repaired
    _sh('mount -o loop,errors=remount-ro "$0" "$1"', image, mount_point)
    with Journal(mount_point / "store") as journal:
        kept = [s.t_s for s in journal.seconds(session)]
        summary = summarised(journal, session, interrupted=True)
    print(f"repaired and started again: {len(kept)} s are there, {summary.recorded_s} s in the summary")
    _sh('umount "$0"', mount_point)
    return int(kept != list(range(BEFORE_S)))


def _sh(script: str, *arguments: Path) -> None:
    subprocess.run(("/bin/sh", "-c", script, *arguments), check=True)


if __name__ == "__main__":
    sys.exit(main())
