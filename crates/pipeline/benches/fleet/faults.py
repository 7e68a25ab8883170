"""A fleet whose machines die, freeze and lose their store: does it come to the results of one machine, and at what price?

    python faults.py TARGET/release/pipeline [--stores folder moto] [--seconds 600] [--seeds 3] [--steps 4000]

Several copies of the program carry out one frozen plan on this machine, each with a scratch folder of its own. Every
twenty seconds one of them is killed with all that it started, and another one begins in its place with an empty
scratch; one is frozen for a while; the store is away for a while (a folder is renamed, the server is stopped). At the
end a new machine draws the report, and every file of it is compared with that of a machine that was alone and
undisturbed. The study is `tests/e2e/tiny.yaml` with more seeds and steps: choose them so that it lasts as long as the
faults do. `requirements.txt` has the S3 for `--stores moto`, which needs a program built with `--features clouds`.
Linux only; nothing is signalled that this script did not start.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

STUDY = Path(__file__).parents[2] / "tests" / "e2e" / "tiny.yaml"
NAME = "tiny"
# As a cluster has it, but in seconds instead of minutes: signs of life, and when a copy without one is gone.
SIGNS = ["--remote-beat", "1", "--remote-ttl", "15"]
CHECKPOINTS = ["--checkpoint-every", "2", "--checkpoint-worth", "1"]
# From the death of a machine to the start of the next one, and between attempts to start one.
PAUSE = 5


def family(pid):
    """A process and all that it started, itself first."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def signal_all(pid, number):
    # Who is stopped reaps nobody, so that no number is given to another process meanwhile.
    os.kill(pid, signal.SIGSTOP)
    for one in reversed(family(pid)):
        os.kill(one, number)


class Folder:
    """A store in a folder; away is renamed."""

    name = "a folder, renamed"

    def __init__(self, lab):
        self.path, self.elsewhere = lab / "store", lab / "store-away"
        self.path.mkdir()
        self.remote, self.environment = str(self.path), {}

    def leave(self):
        self.path.rename(self.elsewhere)

    def come_back(self):
        self.elsewhere.rename(self.path)

    def close(self):
        pass


class Moto:
    """An S3 for tests; away is a process that stands still."""

    name = "moto, stopped"

    def __init__(self, lab):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        program = os.environ.get("MOTO_SERVER", "moto_server")
        self.server = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 60
        while True:
            try:
                server = http.client.HTTPConnection("127.0.0.1", port)
                server.request("PUT", "/lab")
                break
            except ConnectionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
        assert server.getresponse().status == 200
        self.remote = "s3://lab/fleet"
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_REGION": "us-east-1",
        }

    def leave(self):
        self.server.send_signal(signal.SIGSTOP)

    def come_back(self):
        self.server.send_signal(signal.SIGCONT)

    def close(self):
        self.server.kill()
        self.server.wait()


class Copy:
    """A machine that takes part in the plan, again and again with an empty scratch."""

    def __init__(self, fleet, number):
        self.fleet, self.number, self.lives = fleet, number, 0
        self.process, self.frozen, self.done, self.due = None, False, False, 0
        self.refused = 0

    def start(self):
        self.lives += 1
        name = f"{self.number}-{self.lives}"
        self.process = self.fleet.start(name, ["--jobs", "1", "--no-report"])

    def attend(self, now):
        """Begins it where that is due, and takes note of its end."""
        if self.process is None:
            if not self.done and now >= self.due:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        self.process, self.due = None, now + PAUSE
        # It ends when nothing is left that it could take; where the store is away it does not even begin.
        self.done, self.refused = code == 0, self.refused + (code != 0)

    def kill(self, now):
        signal_all(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process, self.due = None, now + PAUSE

    def freeze(self):
        signal_all(self.process.pid, signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        signal_all(self.process.pid, signal.SIGCONT)
        self.frozen = False


class Fleet:
    """Copies of one frozen plan, and what goes wrong with them."""

    def __init__(self, options, study, lab, store):
        self.options, self.lab, self.store = options, lab, store
        self.environment = os.environ | store.environment
        self.scratch, self.logs = lab / "scratch", lab / "logs"
        self.logs.mkdir()
        frozen = [options.program, "plan", "--freeze", *study, "--remote", store.remote, "--cache", lab / "login"]
        frozen = subprocess.run(frozen, env=self.environment, check=True, capture_output=True, text=True)
        self.plan = frozen.stdout.strip()
        self.copies = [Copy(self, number) for number in range(options.copies)]

    def start(self, name, more):
        """A copy with an empty scratch; what it says goes to a file of its own."""
        shutil.rmtree(self.scratch / name, ignore_errors=True)
        command = [self.options.program, "run", "--plan", self.plan, "--remote", self.store.remote, *SIGNS]
        command += [*CHECKPOINTS, "--message-format", "json", "--cache", self.scratch / name, *more]
        with open(self.logs / name, "w") as log:
            return subprocess.Popen(command, env=self.environment, stderr=log, stdout=subprocess.DEVNULL)

    def run(self):
        """Until every copy has ended by itself: what it took."""
        options, chance = self.options, random.Random(self.options.chance)
        kills, frozen, away, begin = 0, None, False, time.monotonic()
        next_kill = options.kill_every
        # The freeze and the outage have a third of the time each to themselves, but for the kills.
        freeze, leave = options.seconds / 4, options.seconds * 0.55
        while not all(copy.done for copy in self.copies):
            now = time.monotonic() - begin
            if now > 5 * options.seconds + 600:
                sys.exit(f"it comes to no end; what the copies said is in {self.logs}")
            for copy in self.copies:
                copy.attend(now)
            running = [copy for copy in self.copies if copy.process and not copy.frozen]
            if now >= next_kill and now < options.seconds and running:
                chance.choice(running).kill(now)
                kills, next_kill = kills + 1, next_kill + options.kill_every
            elif frozen is None and now >= freeze and running:
                frozen = chance.choice(running)
                frozen.freeze()
            if frozen and frozen.frozen and now >= freeze + options.freeze_for:
                frozen.thaw()
            if not away and leave <= now < leave + options.away_for:
                self.store.leave()
                away = True
            elif away and now >= leave + options.away_for:
                self.store.come_back()
                away, leave = False, float("inf")
            time.sleep(0.1)
        refused = sum(copy.refused for copy in self.copies)
        return {
            "seconds": time.monotonic() - begin,
            "killed": kills,
            "refused": refused,
            "frozen": frozen is not None,
            "away": leave == float("inf"),
        }

    def end(self):
        for copy in self.copies:
            if copy.process and copy.process.poll() is None:
                signal_all(copy.process.pid, signal.SIGKILL)
                copy.process.wait()

    def events(self, kind):
        """How often each stage had this event, over all copies."""
        stages = Counter()
        for log in self.logs.iterdir():
            for line in log.read_text().splitlines():
                # The last line of one that was killed may be half a line, and some lines are for people.
                if line.startswith("{") and line.endswith("}") and (event := json.loads(line))["event"] == kind:
                    stages[event["stage"]] += 1
        return stages

    def check(self, alone):
        """A new machine draws the report from the store: the stages that it had to run, and the files that differ."""
        reports = self.lab / "reports"
        begun, finished = self.events("started"), self.events("finished")
        if self.start("new", ["--reports", reports]).wait() != 0:
            sys.exit((self.logs / "new").read_text())
        lost = self.events("started") - begun
        here, there = files(reports), files(alone)
        differ = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        return {
            "stages": json.loads((self.logs / "new").read_text().splitlines()[0])["stages"],
            "begun": begun.total(),
            "twice": sum(count > 1 for count in finished.values()),
            "lost": lost.total(),
            "compared": len(there),
            "differ": differ,
        }


def files(reports):
    """Tables and figures of a report, but for how long runs took; the page has provenance, which differs."""
    paths = (path for path in (reports / NAME).iterdir() if not path.name.startswith("fig-time"))
    return {path.name: path.read_bytes() for path in paths}


def alone(options, study, lab):
    """A machine that nothing happens to, and how long it takes."""
    begin = time.monotonic()
    command = [options.program, "run", *study, "--quiet", "--jobs", "2", "--cache", lab / "alone"]
    subprocess.run([*command, "--reports", lab / "alone-reports"], check=True, stdout=subprocess.DEVNULL)
    return lab / "alone-reports", time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="the program `pipeline`")
    parser.add_argument("--stores", nargs="+", choices=["folder", "moto"], default=["folder"])
    parser.add_argument("--seconds", type=float, default=600, help="for how long machines are killed")
    parser.add_argument("--kill-every", type=float, default=20)
    parser.add_argument("--freeze-for", type=float, default=45)
    parser.add_argument("--away-for", type=float, default=60)
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each point of the grid")
    parser.add_argument("--steps", type=int, default=4000, help="of each run")
    parser.add_argument("--chance", type=int, default=0, help="who is killed when")
    parser.add_argument("--keep", type=Path, help="a folder for all of it, which stays")
    options = parser.parse_args()
    # Copies and server end with this script, however it ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options.program = options.program.resolve()
    lab = options.keep or Path(tempfile.mkdtemp(prefix="fleet-"))
    lab.mkdir(parents=True, exist_ok=True)
    study = [STUDY]
    for family_of_runs in ["sgd", "kfac"]:
        seeds = list(range(options.seeds))
        for value in [f"train.budget.iterations={options.steps}", f"sweep.seed={seeds}"]:
            study += ["--set", f"{family_of_runs}.{value}"]
    reports, seconds = alone(options, study, lab)
    print(f"one machine with two jobs, alone: {seconds:.0f} s", flush=True)
    print("| store | done after | killed | starts refused | stages | begun | finished twice | lost | files that differ |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    well = True
    for store in options.stores:
        folder = lab / store
        folder.mkdir()
        store = {"folder": Folder, "moto": Moto}[store](folder)
        try:
            fleet = Fleet(options, study, folder, store)
            try:
                took = fleet.run()
            finally:
                fleet.end()
            found = fleet.check(reports)
        finally:
            store.close()
        print(
            f"| {store.name} | {took['seconds']:.0f} s | {took['killed']} | {took['refused']} | {found['stages']} "
            f"| {found['begun']} | {found['twice']} | {found['lost']} | {len(found['differ'])} of {found['compared']} |",
            flush=True,
        )
        for what in ["frozen", "away"]:
            if not took[what]:
                print(f"all was done before a copy could be {what}: choose more --steps or --seeds", file=sys.stderr)
        for name in found["differ"]:
            print(f"differs: {name}", file=sys.stderr)
        well &= not found["differ"] and found["lost"] == 0 and took["frozen"] and took["away"]
    if options.keep is None:
        shutil.rmtree(lab)
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
