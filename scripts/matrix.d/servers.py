"""Rows: servers of pages and names. Each listens on 127.0.0.1 or on a unix socket in the cell's
folder."""
import hashlib
import http.client
import os
import pathlib
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
        content = hashlib.sha256(str(number).encode()).digest() * 40 * number
        (root / f"{number}.txt").write_bytes(content)
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
    cell.send(server, signal.SIGHUP)  # a second pair of workers
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
        if os.stat(f"/proc/{pid}").st_uid != 0:
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

    pairs = b"".join(pair(name, value) for name, value in (
        ("SCRIPT_FILENAME", str(script)), ("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/t.php"),
        ("GATEWAY_INTERFACE", "CGI/1.1")))
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
for ($i = 0; $i < 2000; ++$i) {
  $t = hrtime(true);
  $back += $t < $last; $last = $t; microtime(true);
}
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


@row("HAProxy", "servers", "haproxy", "haproxy", short="shimmed counted")
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
