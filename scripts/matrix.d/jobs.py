"""Rows: who starts programs for others: logins and timed jobs."""
import pathlib

from cell import Skipped
from rows import row


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
                         "ConnectTimeout=20", f"{user}@127.0.0.1",
                         f"echo ok; id -un; exit {status}"], shim=False)
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
    variables = "".join(f"{key}={value}\n" for key, value in cell.environment().items())
    job = f"@reboot (id -un; date +\\%Y) > {done}.part && mv {done}.part {done}\n"
    tab.write_text(variables + 'MAILTO=""\n' + job, encoding="utf-8")
    tab.chmod(0o600)
    pathlib.Path("/run/crond.reboot").unlink(missing_ok=True)
    server = cell.start(["cron", "-f"])
    cell.wait_for(done.exists, server, "its job had run")
    cell.stop(server)
    return done.read_text(encoding="utf-8")
