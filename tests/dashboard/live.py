# SPDX-License-Identifier: Apache-2.0
"""A Prometheus that scrapes real agents, which watch real programs under load: what every panel and alert is tried on.

Everything listens on loopback, on free ports; everything is ended when the `with` block is left.
REQUIRES: root, build/release, and the Go programs of tests/go/build (the quick set is enough).
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = ROOT / "build/release/agent/agent"
TARGET = ROOT / "build/release/target/target"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "mapscope"
# deploy/bootstrap unpacks prometheus there where none is installed.
os.environ["PATH"] += os.pathsep + str(CACHE / "prometheus/usr/bin")
BACKSTOP_SECONDS = 120
# The oldest and the newest of the quick set: sync.Map promotes in the one and expands in the other.
OLD_GO, NEW_GO = "1.19", "1.27"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what):
    """The first true value of the condition; raises TimeoutError when there is none in BACKSTOP_SECONDS."""
    deadline = time.monotonic() + BACKSTOP_SECONDS
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise TimeoutError(f"not in {BACKSTOP_SECONDS} s: {what}")


def fetch(url):
    """What is there; None while nothing answers or it is not ready. Raises RuntimeError when the question is refused."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return None
        raise RuntimeError(f"{url}: {error.read().decode(errors='replace')}") from error
    except OSError:
        return None


class LimitedGroup:
    """A control group with a memory limit, in the hierarchy that has it on this machine."""

    def __init__(self, name):
        v1, v2 = pathlib.Path("/sys/fs/cgroup/memory"), pathlib.Path("/sys/fs/cgroup")
        if (v1 / "memory.usage_in_bytes").exists():
            self.path, self.limit_file, self.use_file = v1 / name, "memory.limit_in_bytes", "memory.usage_in_bytes"
        elif "memory" in (v2 / "cgroup.controllers").read_text().split():
            (v2 / "cgroup.subtree_control").write_text("+memory")
            self.path, self.limit_file, self.use_file = v2 / name, "memory.max", "memory.current"
        else:
            raise RuntimeError("no control group hierarchy below /sys/fs/cgroup limits memory")
        self.path.mkdir(exist_ok=True)

    def add(self, pid):
        (self.path / "cgroup.procs").write_text(str(pid))

    def leave_room(self, more):
        (self.path / self.limit_file).write_text(str(int((self.path / self.use_file).read_text()) + more))

    def remove(self):
        self.path.rmdir()


class Live(contextlib.AbstractContextManager):
    def __init__(self, fixtures, rules):
        self.fixtures = pathlib.Path(fixtures)
        self.rules = rules
        self.programs = []
        self.directory = tempfile.TemporaryDirectory(prefix="mapscope-dashboard.")
        self.port = None
        self.group = None

    def __enter__(self):
        try:
            self.start_everything()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            if program.poll() is None:
                program.send_signal(signal.SIGTERM)
        for program in reversed(self.programs):
            try:
                program.wait(20)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
        if self.group:
            self.group.remove()
        self.directory.cleanup()

    def start(self, name, *command, **options):
        log = open(pathlib.Path(self.directory.name) / f"{name}.log", "w")
        program = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, **options)
        self.programs.append(program)
        return program

    def log(self, name):
        return (pathlib.Path(self.directory.name) / f"{name}.log").read_text()

    def start_waiting(self, name, *command):
        """A program that prints "ready" and begins at a newline."""
        program = self.start(name, *command, "--wait", stdin=subprocess.PIPE)
        until(lambda: "ready" in self.log(name) or program.poll() is not None, f"{name} is ready")
        return program

    def start_agent(self, name, *arguments):
        port = free_port()
        agent = self.start(name, AGENT, "--events", "none", "--web.listen-address", f"127.0.0.1:{port}", *arguments)
        until(lambda: fetch(f"http://127.0.0.1:{port}/-/ready") or agent.poll() is not None, f"{name} is ready")
        if agent.poll() is not None:
            raise RuntimeError(f"{name} ended: {self.log(name)}")
        return port

    def fixture(self, version, program):
        return self.fixtures / version / "stripped" / program

    def start_everything(self):
        load = "--seconds 900 --strategy mutex --threads 3 --keys 300000 --growth stop_the_world".split()
        store = self.start("store", TARGET, *load)
        old = self.start("old", self.fixture(OLD_GO, "service"), "-seconds", "900")
        new = self.start("new", self.fixture(NEW_GO, "service"), "-seconds", "900")
        plain = self.start_waiting("plain", TARGET, "--strategy", "plain", "--threads", "10", "--seconds", "900")
        race = self.start_waiting("race", self.fixture(NEW_GO, "race"))
        idle = self.start("idle", "sleep", "900")
        tight = self.start_tight()
        pids = [word for program in (store, old, new, plain, idle, tight) for word in ("--pid", program.pid)]
        ports = [self.start_agent("agent", *pids),
                 self.start_agent("inserts", "--mode", "inserts", "--pid", old.pid, "--pid", store.pid),
                 self.start_agent("races", "--mode", "races", "--pid", race.pid, "--pid", store.pid)]
        self.start_prometheus(ports)
        for program in (plain, race, tight):
            program.stdin.write(b"\n")
            program.stdin.flush()
        until(lambda: self.query('mapscope_map_largest_bytes{process="tight"} > 9e6'), "the map of tight has its size")
        self.group.leave_room(12 << 20)

    def start_tight(self):
        """A program whose map takes 9 MB, and would take more than it will have left to double."""
        program = pathlib.Path(self.directory.name) / "tight"
        shutil.copy(TARGET, program)
        self.group = LimitedGroup(f"mapscope-dashboard-{os.getpid()}")
        tight = self.start_waiting("tight-load", program, "--keys", "300000", "--seconds", "900")
        self.group.add(tight.pid)
        return tight

    def start_prometheus(self, ports):
        self.port = free_port()
        config = pathlib.Path(self.directory.name) / "prometheus.yml"
        # JSON is YAML.
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self.rules)],
            "scrape_configs": [{"job_name": "mapscope", "static_configs": [{"targets": [f"127.0.0.1:{p}" for p in ports]}]}],
        }))
        prometheus = self.start("prometheus", "prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{self.port}",
                                f"--storage.tsdb.path={self.directory.name}/data")
        until(lambda: fetch(self.url("/-/ready")) or prometheus.poll() is not None, "prometheus is ready")
        if prometheus.poll() is not None:
            raise RuntimeError(f"prometheus ended: {self.log('prometheus')}")

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def api(self, path, **parameters):
        text = fetch(self.url(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        return json.loads(text)["data"] if text else None

    def query(self, expression):
        """Series of the expression now; raises RuntimeError when Prometheus refuses it."""
        answer = self.api("query", query=expression)
        return answer["result"] if answer else []


def default_fixtures():
    return os.environ.get("MAPSCOPE_GO_FIXTURES") or ROOT / "build/go-fixtures/quick"
