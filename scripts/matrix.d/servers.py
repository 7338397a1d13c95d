"""Rows: servers. Each listens on 127.0.0.1 or on a unix socket in the cell's folder."""
import hashlib
import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import time

from cell import Failed, Skipped
from rows import row

FILES = 20


def documents(cell):
    root = cell.folder / "www"
    root.mkdir()
    for number in range(FILES):
        (root / f"{number}.txt").write_bytes(hashlib.sha256(str(number).encode()).digest() * 40 * number)
    return root


def fetch_all(port, requests, keep_alive=5):
    """Asks for the documents again and again, over several connections; statuses and a hash."""
    whole, statuses = hashlib.sha256(), {}
    connection = None
    for number in range(requests):
        if number % keep_alive == 0:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", f"/{number % FILES}.txt")
        answer = connection.getresponse()
        whole.update(answer.read())
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        dated = answer.getheader("Date")
        if dated and abs(time.mktime(time.strptime(dated, "%a, %d %b %Y %H:%M:%S GMT"))
                         - time.mktime(time.gmtime())) > 5:
            raise Failed(f"says it is {dated}")
        if number % keep_alive == keep_alive - 1:
            connection.close()
    return f"{statuses} {whole.hexdigest()[:16]}"


def nginx_server(cell):
    root, port = documents(cell), cell.port()
    conf = cell.folder / "nginx.conf"
    conf.write_text(f"""
user www-data; daemon off; worker_processes 2; pid {cell.folder}/pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  log_format precise '$msec $request_time $status';
  access_log {cell.folder}/access.log precise;
  client_body_temp_path {cell.folder}/body; proxy_temp_path {cell.folder}/proxy;
  fastcgi_temp_path {cell.folder}/fcgi; uwsgi_temp_path {cell.folder}/uwsgi;
  scgi_temp_path {cell.folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
""", encoding="utf-8")
    server = cell.start(["nginx", "-c", conf, "-e", "stderr"])
    cell.wait_for_port(port, server)
    return server, port


def nginx_result(cell):
    server, port = nginx_server(cell)
    found = fetch_all(port, 200)
    server.send_signal(signal.SIGHUP)  # a second pair of workers
    time.sleep(0.3)
    found += " " + fetch_all(port, 100)
    cell.stop(server, signal.SIGQUIT)
    lines = (cell.folder / "access.log").read_text(encoding="utf-8").splitlines()
    return f"{found} logged {len(lines)}"


@row("nginx", "servers", "nginx", "nginx-light", short="shimmed counted")
def nginx(cell):
    return nginx_result(cell)


def killed_workers(cell):
    server, port = nginx_server(cell)
    found = fetch_all(port, 200)
    for pid, _ in cell.tree(server):
        if pid != server.pid and os.stat(f"/proc/{pid}").st_uid != 0:
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)  # the master starts others
    found += " " + fetch_all(port, 100)
    cell.stop(server, signal.SIGQUIT)
    return found


@row("nginx, workers killed", "servers", "nginx", "nginx-light")
def nginx_killed(cell):
    return killed_workers(cell)


@row("nginx, workers killed, CLOCKSHIM_DIR of root", "servers", "nginx", "nginx-light",
     short="counted", env={"CLOCKSHIM_DIR": "/run/matrix-dir"})
def other_user(cell):
    if not cell.tools.isolated:
        raise Skipped("needs root")
    cell.dir = pathlib.Path("/run/matrix-dir")
    shutil.rmtree(cell.dir, ignore_errors=True)
    cell.dir.mkdir(mode=0o700)
    return killed_workers(cell)


@row("Apache", "servers", "apache2", "apache2", short="shimmed small")
def apache(cell):
    root, port = documents(cell), cell.port()
    conf = cell.folder / "apache.conf"
    modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
                        for name in ("mpm_event", "authz_core"))
    conf.write_text(f"""
ServerRoot {cell.folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {cell.folder}/pid
{modules}
User www-data
Group www-data
StartServers 2
ThreadsPerChild 8
MaxRequestWorkers 16
ErrorLog {cell.folder}/error.log
LogFormat "%t %D %>s" precise
CustomLog {cell.folder}/access.log precise
DefaultRuntimeDir {cell.folder}
DocumentRoot {root}
<Directory {root}>
  Require all granted
</Directory>
""", encoding="utf-8")
    server = cell.start(["apache2", "-f", conf, "-D", "FOREGROUND"])
    cell.wait_for_port(port, server)
    found = fetch_all(port, 200)
    cell.stop(server)
    lines = (cell.folder / "access.log").read_text(encoding="utf-8").splitlines()
    return f"{found} logged {len(lines)}"


def fastcgi(path, script):
    """One request to a FastCGI responder; its whole answer."""
    def record(kind, content):
        return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content

    def pair(name, value):
        return bytes([len(name), len(value)]) + name.encode() + value.encode()

    pairs = b"".join(pair(*p) for p in (("SCRIPT_FILENAME", str(script)), ("REQUEST_METHOD", "GET"),
                                        ("SCRIPT_NAME", "/t.php"), ("GATEWAY_INTERFACE", "CGI/1.1")))
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(str(path))
        s.sendall(record(1, struct.pack("!HB5x", 1, 0)) + record(4, pairs) + record(4, b"")
                  + record(5, b""))
        raw = b"".join(iter(lambda: s.recv(65536), b""))
    out = b""
    while raw:
        _, kind, _, length, padding, _ = struct.unpack("!BBHHBB", raw[:8])
        if kind == 6:
            out += raw[8:8 + length]
        raw = raw[8 + length + padding:]
    return out.decode("utf-8", "replace").split("\r\n\r\n", 1)[-1]


@row("PHP-FPM", "servers", "php-fpm8.2", "php8.2-fpm", short="shimmed counted")
def php(cell):
    script, path = cell.folder / "t.php", cell.folder / "php.sock"
    script.write_text("""<?php
$back = 0; $last = 0;
for ($i = 0; $i < 2000; ++$i) { $t = hrtime(true); $back += $t < $last; $last = $t; microtime(true); }
usleep(500);
echo hash('sha256', str_repeat('x', 1000)), ' ', date('Y') > 2020, " backward $back";
""", encoding="utf-8")
    conf = cell.folder / "fpm.conf"
    conf.write_text(f"""
[global]
error_log = {cell.folder}/error.log
pid = {cell.folder}/pid
daemonize = no
[www]
user = www-data
listen = {path}
listen.mode = 0666
pm = static
pm.max_children = 2
pm.max_requests = 15
request_terminate_timeout = 30
""", encoding="utf-8")
    server = cell.start(["php-fpm8.2", "-F", "-n", "-y", conf])
    cell.wait_for(path.exists, server, "its socket was there")
    answers = {fastcgi(path, script) for _ in range(40)}
    cell.stop(server, signal.SIGQUIT)
    return " | ".join(sorted(answers))


@row("HAProxy", "servers", "haproxy", "haproxy", short="shimmed")
def haproxy(cell):
    port = cell.port()
    conf = cell.folder / "haproxy.cfg"
    conf.write_text(f"""
global
  nbthread 2
  user haproxy
  group haproxy
  chroot {cell.folder}
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend in
  bind 127.0.0.1:{port}
  http-request return status 200 content-type text/plain lf-string "%[path] %[rand(1)]" \
if {{ path_beg / }}
""", encoding="utf-8")
    server = cell.start(["haproxy", "-W", "-db", "-f", conf])
    cell.wait_for_port(port, server)
    found = fetch_all(port, 200)
    cell.stop(server)
    return found


def dns(port, name):
    query = struct.pack("!6H", 4711, 0x100, 1, 0, 0, 0)
    query += b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    query += struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(("127.0.0.1", port))  # so that it is told where nobody listens
        s.send(query)
        return s.recv(4096)


@row("unbound", "servers", "unbound", "unbound", short="shimmed")
def unbound(cell):
    port = cell.port()
    conf = cell.folder / "unbound.conf"
    data = "\n".join(f'  local-data: "h{n}.test. 60 IN A 10.0.0.{n}"' for n in range(20))
    conf.write_text(f"""
server:
  interface: 127.0.0.1
  port: {port}
  username: unbound
  chroot: "{cell.folder}"
  directory: "{cell.folder}"
  pidfile: ""
  use-syslog: no
  num-threads: 2
  do-ip6: no
  module-config: "iterator"
  local-zone: "test." static
{data}
remote-control:
  control-enable: no
""", encoding="utf-8")
    server = cell.start(["unbound", "-d", "-c", conf])

    def answers():
        return dns(port, "h1.test")
    cell.wait_for(answers, server, "its first answer")
    whole = hashlib.sha256()
    for number in range(100):
        whole.update(dns(port, f"h{number % 20}.test"))
    cell.stop(server)
    return whole.hexdigest()


def ask_line(stream, words, lines=1):
    stream.write((words + "\r\n").encode())
    stream.flush()
    return [stream.readline().decode().strip() for _ in range(lines)]


@row("memcached", "servers", "memcached", "memcached", short="shimmed counted")
def memcached(cell):
    port = cell.port()
    server = cell.start(["memcached", "-u", "memcache", "-l", "127.0.0.1", "-p", port, "-U", "0",
                         "-t", "2"])
    cell.wait_for_port(port, server)
    with socket.create_connection(("127.0.0.1", port), 20) as s, s.makefile("rwb") as stream:
        stored = sum(ask_line(stream, f"set k{n} 0 100 5\r\n{n:05}") == ["STORED"]
                     for n in range(200))
        found = sum(ask_line(stream, f"get k{n}", 3)[1] == f"{n:05}" for n in range(200))
        gone = ask_line(stream, "set gone 0 -1 1\r\nx") + ask_line(stream, "get gone")
    cell.stop(server)
    return f"stored {stored} found {found} {gone}"


@row("redis", "servers", ("redis-server", "redis-cli"), "redis-server",
     short="shimmed counted small slow")
def redis(cell):
    path = cell.folder / "redis.sock"
    server = cell.start(["redis-server", "--port", "0", "--unixsocket", path, "--appendonly", "yes",
                         "--dir", cell.folder, "--save", "", "--enable-debug-command", "yes"])

    def cli(*words, stdin=""):
        return cell.quietly(["redis-cli", "-s", path, *words], stdin=stdin).strip()
    cell.wait_for(path.exists, server, "its socket was there")
    keys = "".join(f"SET k{n} v{n} EX 1000\r\nINCR counter\r\nLPUSH list {n}\r\n"
                   for n in range(500))
    cli("--pipe", stdin=keys)
    found = [cli("dbsize"), cli("debug", "digest-value", "list"), cli("get", "counter")]
    cli("set", "soon", "x", "px", "20")
    time.sleep(0.05)
    found.append(f"expired {cli('exists', 'soon')}")
    cli("bgsave")
    end = time.monotonic() + 10
    while "rdb_bgsave_in_progress:1" in cli("info", "persistence") and time.monotonic() < end:
        time.sleep(0.02)
    found.append(re.search(r"rdb_last_bgsave_status:\w+", cli("info", "persistence"))[0])
    cell.stop(server)
    return " ".join(found)


# ---- databases -------------------------------------------------------------------------------------


def cluster(cell):
    """A data folder for PostgreSQL, made once and copied for each cell."""
    made = cell.cache / "pgdata"
    if not made.exists():
        made.mkdir()
        shutil.chown(made, "postgres", "postgres")
        cell.quietly(["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups",
                      postgres_folder() / "initdb", "-D", made, "-A", "trust", "--no-sync", "-E",
                      "UTF8", "--locale=C"])
    data = cell.folder / "data"
    cell.quietly(["cp", "-a", made, data])
    return data


def postgres_folder():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else pathlib.Path("/usr/bin")


def postgres_server(cell, connections):
    data = cluster(cell)
    server = cell.start([postgres_folder() / "postgres", "-D", data, "-k", cell.folder, "-c",
                         "listen_addresses=", "-c", "fsync=off", "-c",
                         f"max_connections={connections}", "-c", "jit=off", "-c",
                         "max_parallel_workers_per_gather=2"], user="postgres")
    socket_file = cell.folder / ".s.PGSQL.5432"

    def ready():
        return cell.run(["pg_isready", "-q", "-h", cell.folder], shim=False).returncode == 0
    cell.wait_for(lambda: socket_file.exists() and ready(), server, "it took connections")
    return server


def sql(cell, text, wanted=0):
    done = cell.run(["psql", "-X", "-q", "-A", "-t", "-h", cell.folder, "-U", "postgres", "-c", text],
                    shim=False)
    if wanted is not None and done.returncode != wanted:
        raise Failed(f"psql: {done.err.strip()[:200]}")
    return (done.out if wanted == 0 else done.err).strip()


PARALLEL = """set parallel_setup_cost=0; set parallel_tuple_cost=0; set min_parallel_table_scan_size=0;
select count(*), sum(a.abalance) from pgbench_accounts a join pgbench_accounts b using (aid)"""


def bench(cell, *words):
    out = cell.quietly([postgres_folder() / "pgbench", "-h", cell.folder, "-U", "postgres",
                        "--random-seed=1", *words, "postgres"])
    return " ".join(re.findall(r"actually processed: (\S+)|failed transactions: (\d+)", out)[0])


@row("PostgreSQL", "servers", (str(postgres_folder() / "postgres"), "psql"), "postgresql-15",
     short="shimmed counted small")
def postgres(cell):
    server = postgres_server(cell, 20)
    cell.quietly([postgres_folder() / "pgbench", "-i", "-q", "-h", cell.folder, "-U", "postgres",
                  "postgres"])
    found = [bench(cell, "-c", "4", "-t", "50"), sql(cell, PARALLEL),
             sql(cell, "select count(*), sum(delta) from pgbench_history")]
    found.append(sql(cell, "set statement_timeout='50ms'; select pg_sleep(20)", wanted=1))
    found.append(sql(cell, "select clock_timestamp() >= now(), pg_sleep(0.01) is not null"))
    cell.stop(server, signal.SIGINT)
    return "; ".join(found)


@row("PostgreSQL, 120 connections", "servers", (str(postgres_folder() / "postgres"), "psql"),
     "postgresql-15", limit=120)
def postgres_many(cell):
    server = postgres_server(cell, 130)
    cell.quietly([postgres_folder() / "pgbench", "-i", "-q", "-h", cell.folder, "-U", "postgres",
                  "postgres"])
    held = cell.folder / "held.sql"
    held.write_text("select count(*) from pgbench_branches; select pg_sleep(0.5);\n",
                    encoding="utf-8")
    client = cell.start([postgres_folder() / "pgbench", "-n", "-h", cell.folder, "-U", "postgres",
                         "-c", "120", "-t", "6", "-f", held, "postgres"], shim=False)
    count = "select count(*) >= 120 from pg_stat_activity where application_name = 'pgbench'"
    cell.wait_for(lambda: sql(cell, count) == "t", client, "it had 120 connections")
    found = sql(cell, PARALLEL)
    client.wait()
    found += f" pgbench {client.returncode}"
    cell.stop(server, signal.SIGINT)
    return found


@row("MariaDB", "servers", ("mariadbd", "mariadb-install-db"), "mariadb-server", limit=90)
def mariadb(cell):
    made = cell.cache / "mariadb"
    if not made.exists():
        made.mkdir()
        shutil.chown(made, "mysql", "mysql")
        cell.quietly(["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={made}",
                      "--auth-root-authentication-method=normal", "--skip-test-db"])
    data, path = cell.folder / "data", cell.folder / "m.sock"
    cell.quietly(["cp", "-a", made, data])
    server = cell.start(["mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}",
                         f"--socket={path}", "--skip-networking", f"--pid-file={data}/pid",
                         "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"])

    def query(text):
        return cell.quietly(["mariadb", "--no-defaults", "-u", "root", "-S", path, "-N", "-e", text])
    cell.wait_for(lambda: path.exists() and cell.run(
        ["mariadb", "--no-defaults", "-u", "root", "-S", path, "-e", "select 1"],
        shim=False).returncode == 0, server, "it took connections")
    found = query("""create database t; use t; create table a (id int primary key, v varchar(40));
insert into a select seq, sha1(seq) from seq_1_to_3000; update a set v = reverse(v) where id % 3 = 0;
select count(*), sum(crc32(v)) from a; select sleep(0.01); select now(6) >= '2020-01-01';
set @a = sysdate(6); do sleep(0.002); select sysdate(6) > @a;""")
    cell.stop(server)
    return " ".join(found.split())


# ---- logins and jobs -------------------------------------------------------------------------------


@row("sshd, logins", "servers", ("/usr/sbin/sshd", "ssh", "ssh-keygen"), "openssh-server",
     short="shimmed counted slow")
def sshd(cell):
    port, run = cell.port(), pathlib.Path("/run/sshd")
    run.mkdir(mode=0o755, exist_ok=True)
    for name in ("host", "user"):
        cell.quietly(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cell.folder / name])
    conf = cell.folder / "sshd_config"
    conf.write_text(f"""
ListenAddress 127.0.0.1:{port}
HostKey {cell.folder}/host
AuthorizedKeysFile {cell.folder}/user.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
""", encoding="utf-8")
    server = cell.start(["/usr/sbin/sshd", "-D", "-e", "-f", conf])
    cell.wait_for_port(port, server)
    found = []
    for user, status in (("root", 3), ("postgres", 4), ("root", 5)):
        done = cell.run(["ssh", "-F", "none", "-i", cell.folder / "user", "-p", port, "-o",
                         "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                         f"UserKnownHostsFile={cell.folder}/known", "-o", "LogLevel=ERROR", "-o",
                         "ConnectTimeout=20", f"{user}@127.0.0.1", f"echo ok; id -un; exit {status}"],
                        shim=False)
        found.append(f"{done.out.split()} {done.returncode} {done.err.strip()[:100]}")
    cell.stop(server)
    return "; ".join(found).replace(str(port), "PORT")


@row("cron", "servers", "cron", "cron", short="shimmed")
def cron(cell):
    if not cell.tools.isolated:
        raise Skipped("would run the machine's own jobs")
    spool = pathlib.Path("/var/spool/cron/crontabs")
    done = cell.folder / "done"
    tab = spool / "root"
    # Jobs have the variables of their table, and none of cron's.
    tab.write_text("".join(f"{key}={value}\n" for key, value in cell.environment().items())
                   + f"MAILTO=\"\"\n@reboot (id -un; date +\\%Y) > {done}.part && mv {done}.part {done}\n",
                   encoding="utf-8")
    tab.chmod(0o600)
    pathlib.Path("/run/crond.reboot").unlink(missing_ok=True)
    server = cell.start(["cron", "-f"])
    cell.wait_for(done.exists, server, "its job had run")
    cell.stop(server)
    return done.read_text(encoding="utf-8")
