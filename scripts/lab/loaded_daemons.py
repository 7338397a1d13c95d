"""Daemons under a load of their own, which are asked for the time meanwhile; scripts/lab/attach has to do with them."""
import http.client
import json
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time

JAVA = """
import java.util.concurrent.atomic.*;

/** Threads hand over what System.nanoTime() told them: nobody may read less. One sleeps, one collects garbage. */
public class Handover {
  static final AtomicLong newest = new AtomicLong(Long.MIN_VALUE);
  static final AtomicLong turns = new AtomicLong(), back = new AtomicLong();
  static volatile boolean over;

  public static void main(String[] args) throws Exception {
    Thread[] all = new Thread[4];
    for (int i = 0; i < all.length; i++) {
      all[i] = new Thread(() -> {
        while (!over) {
          long seen = newest.get(), now = System.nanoTime();
          if (now < seen) back.incrementAndGet();
          newest.accumulateAndGet(now, Math::max);
          if (turns.incrementAndGet() % 1000 == 0) { byte[] garbage = new byte[1 << 16]; Thread.yield(); }
        }
      });
      all[i].start();
    }
    System.out.println("ready");
    for (int asked; (asked = System.in.read()) >= 0; ) {
      java.time.Instant now = java.time.Instant.now();
      if (asked == '\\n') System.out.println(now.getEpochSecond() * 1000000000L + now.getNano());
    }
    over = true;
    for (Thread thread : all) thread.join();
    System.out.println("turns " + turns + " back " + back);
  }
}
"""


TOLERANCE_NS = 10_000  # the default


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(true, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Daemon:
    """A daemon and its load. `problems` has what went wrong with either. `unit_ns` is below what it does not tell of its time."""
    tree = False
    unit_ns = 1000

    def __init__(self, folder, clock):
        self.folder, self.problems, self.done, self.over, self.told, self.clock = folder, [], 0, False, 0, clock
        self.port = free_port()
        self.process = self.start()
        self.load = threading.Thread(target=self.repeat, args=[self.one_load])
        self.asks = threading.Thread(target=self.repeat, args=[self.ask_time])
        self.last_told = 0

    def begin(self):
        self.load.start()
        self.asks.start()

    def repeat(self, what):
        try:
            while not self.over:
                what()
        except Exception as problem:  # whatever it is, it is a finding
            self.problems.append(repr(problem))

    def ask_time(self):
        if self.clock and self.told % 10 == 9:
            self.clock.step()
            self.last_told = 0
            time.sleep(0.0002)
        before = time.clock_gettime_ns(time.CLOCK_REALTIME)
        told = self.time_told(self.told % 2)
        after = time.clock_gettime_ns(time.CLOCK_REALTIME)
        if not before - TOLERANCE_NS - self.unit_ns < told < after + TOLERANCE_NS:
            self.problems.append(f"it tells {told - before} ns after the question, {after - told} ns before the answer")
        if told < self.last_told:
            self.problems.append(f"it tells {self.last_told - told} ns less than last time")
        self.last_told = told
        self.told += 1
        time.sleep(0.002)

    def stop_loads(self):
        self.over = True
        self.load.join()
        self.asks.join()
        if self.clock:
            self.clock.back()
        if self.told < 2:
            self.problems.append("it has told no time")

    def end(self):
        self.stop_loads()
        if self.process.poll() is not None:
            self.problems.append(f"it has ended with {self.process.returncode}")
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.problems.append("it does not end")
            self.process.kill()

    def check(self, command, expected):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=300)
        if done.returncode or not re.search(expected, done.stdout):
            self.problems.append(f"{command[0]}: {done.returncode}: {done.stdout[-300:]}")


class Redis(Daemon):
    needs = ["redis-server", "redis-benchmark"]
    requests = 20_000

    def start(self):
        process = subprocess.Popen(["redis-server", "--port", str(self.port), "--save", ""], cwd=self.folder, stdout=subprocess.DEVNULL)
        wait_until(lambda: answers(self.port), "redis")
        self.connections = [socket.create_connection(("127.0.0.1", self.port), 60).makefile("rwb") for _ in range(2)]
        return process

    def time_told(self, which):
        """Seconds, and microseconds: "*2", "$10", "1764471234", "$6", "123456"."""
        connection = self.connections[which]
        connection.write(b"TIME\r\n")
        connection.flush()
        _, _, seconds, _, micros = (connection.readline() for _ in range(5))
        return int(seconds) * 10**9 + int(micros) * 1000

    def one_load(self):
        self.check(["redis-benchmark", "-p", str(self.port), "-n", str(self.requests), "-c", "20", "-t", "set,get", "--csv"], '"GET"')
        self.done += 2 * self.requests

    def end(self):
        self.stop_loads()
        said = subprocess.run(["redis-cli", "-p", str(self.port), "info", "stats"], stdout=subprocess.PIPE, text=True, check=False).stdout
        processed = re.search(r"total_commands_processed:(\d+)", said)
        if not processed or int(processed[1]) < self.done:
            self.problems.append(f"of {self.done} commands, it has processed {processed and processed[1]}")
        super().end()


class Postgres(Daemon):
    needs = ["pgbench"]
    tree = True

    def start(self):
        self.tools = next(iter(sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))))
        data = self.folder / "data"
        shutil.chown(self.folder, "postgres")
        self.folder.chmod(0o755)
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
        subprocess.run([*user, self.tools / "initdb", "-D", data, "-A", "trust"], check=True, stdout=subprocess.DEVNULL)
        process = subprocess.Popen([*user, self.tools / "postgres", "-D", data, "-p", str(self.port), "-k", self.folder, "-c", "fsync=off",
                                    "-c", "track_io_timing=on"], stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("w"))
        self.options = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "postgres"]
        wait_until(lambda: subprocess.run(["pg_isready", *self.options[:6]], stdout=subprocess.DEVNULL, check=False).returncode == 0,
                   "postgres")
        subprocess.run(["pgbench", "-i", "-q", *self.options], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.clients = [subprocess.Popen(["psql", "-qtAX", *self.options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                        for _ in range(2)]
        return process

    def time_told(self, which):
        client = self.clients[which]
        client.stdin.write("select (extract(epoch from clock_timestamp()) * 1000000)::bigint;\n")
        client.stdin.flush()
        return int(client.stdout.readline()) * 1000

    def stop_loads(self):
        super().stop_loads()
        for client in self.clients:
            client.communicate(timeout=60)

    def one_load(self):
        done = subprocess.run(["pgbench", "-c", "4", "-t", "500", *self.options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        if done.returncode or "actually processed: 2000/2000" not in done.stdout or "failed transactions: 0 " not in done.stdout:
            self.problems.append(f"pgbench: {done.stdout[-400:]}")
        self.done += 2000

    def end(self):
        super().end()
        for line in (self.folder / "log").read_text().splitlines():
            if re.search(r"(PANIC|FATAL|ERROR|terminated by signal)", line) and "starting up" not in line:
                self.problems.append(line)


class Prometheus(Daemon):
    needs = ["prometheus"]
    unit_ns = 1_000_000

    def time_told(self, which):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/api/v1/query?query=time()")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return round(float(answer["data"]["result"][1]) * 1000) * 1_000_000

    def start(self):
        (self.folder / "config.yml").write_text(f"scrape_configs:\n  - job_name: self\n    scrape_interval: 200ms\n"
                                                f"    static_configs:\n      - targets: ['127.0.0.1:{self.port}']\n")
        process = subprocess.Popen(["prometheus", f"--config.file={self.folder}/config.yml", f"--storage.tsdb.path={self.folder}/data",
                                    f"--web.listen-address=127.0.0.1:{self.port}"], stdout=subprocess.DEVNULL,
                                   stderr=(self.folder / "log").open("w"))
        wait_until(lambda: answers(self.port), "prometheus")
        return process

    def one_load(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for _ in range(50):
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            if answer.status != 200 or not answer.read().endswith(b"\n"):
                self.problems.append(f"answer {answer.status}")
            self.done += 1
        connection.close()

    def end(self):
        super().end()
        for line in (self.folder / "log").read_text().splitlines():
            if re.search(r"(panic|fatal error|level=error|out of order|duplicate)", line):
                self.problems.append(line)


class Java(Daemon):
    needs = ["java", "javac"]

    def start(self):
        (self.folder / "Handover.java").write_text(JAVA)
        subprocess.run(["javac", "-d", self.folder, self.folder / "Handover.java"], check=True)
        process = subprocess.Popen(["java", "-Xmx128m", "-cp", self.folder, "Handover"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True)
        process.stdout.readline()
        return process

    def one_load(self):
        time.sleep(0.1)

    def time_told(self, which):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self):
        self.stop_loads()
        said, _ = self.process.communicate(timeout=60)
        found = re.search(r"turns (\d+) back (\d+)", said)
        if self.process.returncode or not found or int(found[2]):
            self.problems.append(f"{self.process.returncode} {said}")
        self.done = int(found[1]) if found else 0


DAEMONS = {"redis": Redis, "postgres": Postgres, "prometheus": Prometheus, "java": Java}
