"""Rows: servers of data. Each listens on 127.0.0.1 or on a unix socket in the cell's folder."""
import pathlib
import re
import shutil
import signal
import socket
import time

from cell import Failed
from rows import row


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
    done = cell.run(["psql", "-X", "-q", "-A", "-t", "-h", cell.folder, "-U", "postgres", "-c",
                     text], shim=False)
    if wanted is not None and done.returncode != wanted:
        raise Failed(f"psql: {done.err.strip()[:200]}")
    return (done.out if wanted == 0 else done.err).strip()


PARALLEL = """set parallel_setup_cost=0; set parallel_tuple_cost=0;
set min_parallel_table_scan_size=0; set enable_mergejoin=off; set enable_nestloop=off;
set work_mem='64MB'; select count(*), sum(a.abalance), max(b.filler || a.filler)
from pgbench_accounts a join pgbench_accounts b using (aid)"""


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
     "postgresql-15", limit=120, short="small")
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
    cell.look_at_memory()
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
        return cell.quietly(["mariadb", "--no-defaults", "-u", "root", "-S", path, "-N", "-e",
                             text])
    cell.wait_for(lambda: path.exists() and cell.run(
        ["mariadb", "--no-defaults", "-u", "root", "-S", path, "-e", "select 1"],
        shim=False).returncode == 0, server, "it took connections")
    found = query("""create database t; use t; create table a (id int primary key, v varchar(40));
insert into a select seq, sha1(seq) from seq_1_to_3000;
update a set v = reverse(v) where id % 3 = 0;
select count(*), sum(crc32(v)) from a; select sleep(0.01); select now(6) >= '2020-01-01';
set @a = sysdate(6); do sleep(0.002); select sysdate(6) > @a;""")
    cell.stop(server)
    return " ".join(found.split())
