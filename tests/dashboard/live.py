# SPDX-License-Identifier: Apache-2.0
"""A Prometheus that scrapes real agents, which watch real programs under load: what every panel and alert is tried on.

Everything listens on loopback, on free ports; everything is ended when the `with` block is left.
REQUIRES: root, build/release, and the Go programs of tests/go/build (the quick set is enough).
"""
import contextlib
import json
import os
import pathlib
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


class Live(contextlib.AbstractContextManager):
    def __init__(self, fixtures, rules):
        self.fixtures = pathlib.Path(fixtures)
        self.rules = rules
        self.programs = []
        self.directory = tempfile.TemporaryDirectory(prefix="mapscope-dashboard.")
        self.port = None

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
        pids = [word for program in (store, old, new, plain, idle) for word in ("--pid", program.pid)]
        ports = [self.start_agent("agent", *pids),
                 self.start_agent("inserts", "--mode", "inserts", "--pid", old.pid, "--pid", store.pid),
                 self.start_agent("races", "--mode", "races", "--pid", race.pid, "--pid", store.pid)]
        self.start_prometheus(ports)
        for program in (plain, race):
            program.stdin.write(b"\n")
            program.stdin.flush()

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
